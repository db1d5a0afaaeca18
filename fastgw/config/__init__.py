"""What the operator writes: schema, load, check. Errors name file, line, column and key."""

from fastgw.config.load import canonical_content, examine, examine_text, from_environment, load
from fastgw.config.model import Config
from fastgw.config.schema import json_schema

__all__ = ["Config", "canonical_content", "examine", "examine_text", "from_environment",
           "json_schema", "load"]
