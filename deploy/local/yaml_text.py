"""Plain data to YAML, for configuration files that people read."""

import json


def to_yaml(value, indent=0):
    pad = "  " * indent
    lines = []
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, dict) and item:
                lines += [f"{pad}{key}:", to_yaml(item, indent + 1)]
            elif isinstance(item, list) and item and isinstance(item[0], dict):
                lines.append(f"{pad}{key}:")
                for entry in item:
                    text = to_yaml(entry, indent + 2)
                    lines.append(f"{pad}  - {text[len(pad) + 4:]}")
            else:
                lines.append(f"{pad}{key}: {json.dumps(item)}")
    return "\n".join(lines)
