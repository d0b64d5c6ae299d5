"""One schema a recipe: its options, command, address, JSON and key, read from the fields of a frozen dataclass."""

from robustiqa_core.schema.codecs import NONE, Codec, as_text, choice, codec_of
from robustiqa_core.schema.schema import Leaf, Schema, schema_of
from robustiqa_core.schema.setting import Setting, setting

__all__ = ["NONE", "Codec", "Leaf", "Schema", "Setting", "as_text", "choice", "codec_of", "schema_of", "setting"]
