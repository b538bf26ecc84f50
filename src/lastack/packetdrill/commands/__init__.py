"""The back-quoted commands of scripts: words, pipelines and filters, and what programs of a machine print."""
