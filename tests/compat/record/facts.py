#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Turns a FileDescriptorSet of a peer's API into the tables the tests compare with.

    facts.py <descriptor set> <folder>

writes <folder>/fields.txt (numbers, names, types, methods) and <folder>/samples.txt (for each
message its bytes with every field set, made by Google's own encoder). Needs python3-protobuf.
The descriptor set comes from outside this tree: `protoc --include_imports
--descriptor_set_out=…` over the definitions the peer publishes.
"""
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

TYPES = {
    1: "double", 2: "float", 3: "int64", 4: "uint64", 5: "int32", 6: "fixed64", 7: "fixed32",
    8: "bool", 9: "string", 12: "bytes", 13: "uint32", 15: "sfixed32", 16: "sfixed64",
    17: "sint32", 18: "sint64",
}
# Only used by code generators; never on the wire.
SKIPPED_FILES = ("google/protobuf/descriptor.proto",)


def field_type(field):
    if field.message_type is not None:
        return field.message_type.full_name
    if field.enum_type is not None:
        return field.enum_type.full_name
    return TYPES[field.type]


def field_label(field, proto):
    if field.label == field.LABEL_REPEATED:
        return "repeated"
    return "optional" if proto.proto3_optional and field.message_type is None else "one"


def enum_lines(enum):
    return [f"enum {enum.full_name} {v.number} {v.name}" for v in enum.values]


def message_lines(message, proto, messages):
    lines = [f"message {message.full_name} {len(message.fields)}"]
    messages.append(message)
    protos = {p.number: p for p in proto.field}
    for field in sorted(message.fields, key=lambda f: f.number):
        label = field_label(field, protos[field.number])
        lines.append(f"field {message.full_name} {field.number} {field.name} "
                     f"{field_type(field)} {label}")
    for enum in message.enum_types:
        lines += enum_lines(enum)
    for nested in proto.nested_type:
        lines += message_lines(message.nested_types_by_name[nested.name], nested, messages)
    return lines


def method_line(service, method, proto):
    kind = ("BIDI" if proto.server_streaming else "CLIENT_STREAM") if proto.client_streaming \
        else ("SERVER_STREAM" if proto.server_streaming else "UNARY")
    return (f"method {service.full_name} {method.name} {kind} "
            f"{method.input_type.full_name} {method.output_type.full_name}")


def fill_scalar(field, salt):
    if field.enum_type is not None:
        return field.enum_type.values[-1].number
    kind = TYPES[field.type]
    if kind == "string":
        return f"{field.name}-{salt}"
    if kind == "bytes":
        return bytes([0, 255, salt]) + field.name.encode()
    if kind == "bool":
        return True
    if kind in ("double", "float"):
        return field.number + 0.5
    number = field.number * 1000 + salt
    if kind in ("int32", "sint32"):
        return -number
    if kind == "int64":
        return -(number << 32)
    return number << 32 if kind == "uint64" else number


def map_key(field, salt):
    key = field.message_type.fields_by_name["key"]
    return f"key-{salt}" if TYPES[key.type] == "string" else fill_scalar(key, salt)


def fill(message, salt=1):
    for field in message.DESCRIPTOR.fields:
        slot = getattr(message, field.name)
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        if is_map and field.message_type.fields_by_name["value"].message_type is not None:
            fill(slot[map_key(field, salt)], salt)  # one entry: their order is nobody's promise
        elif is_map:
            slot[map_key(field, salt)] = f"value-{salt}"
        elif field.label == field.LABEL_REPEATED and field.message_type is not None:
            for i in range(2):
                fill(slot.add(), salt + i)
        elif field.label == field.LABEL_REPEATED:
            slot.extend([fill_scalar(field, salt), fill_scalar(field, salt + 1)])
        elif field.message_type is not None:
            slot.SetInParent()
            fill(slot, salt)
        else:
            setattr(message, field.name, fill_scalar(field, salt))
    return message


def main(source, folder):
    files = descriptor_pb2.FileDescriptorSet.FromString(open(source, "rb").read()).file
    pool = descriptor_pool.DescriptorPool()
    for file in files:
        pool.Add(file)
    lines, messages = [], []
    for file in files:
        if file.name in SKIPPED_FILES:
            continue
        known = pool.FindFileByName(file.name)
        for proto in file.message_type:
            lines += message_lines(known.message_types_by_name[proto.name], proto, messages)
        for enum in known.enum_types_by_name.values():
            lines += enum_lines(enum)
        for proto in file.service:
            service = known.services_by_name[proto.name]
            lines += [method_line(service, service.methods_by_name[m.name], m)
                      for m in proto.method]
    factory = message_factory.MessageFactory(pool)
    samples = []
    for message in messages:
        if message.GetOptions().map_entry:
            continue
        data = fill(factory.GetPrototype(message)()).SerializeToString(deterministic=True)
        samples.append(f"{message.full_name} {data.hex() or '-'}")
    head = "# SPDX-License-Identifier: Apache-2.0\n# Made by tests/compat/record/facts.py; "
    with open(f"{folder}/fields.txt", "w", encoding="ascii") as out:
        out.write(head + "facts of the wire format, one per line.\n" + "\n".join(lines) + "\n")
    with open(f"{folder}/samples.txt", "w", encoding="ascii") as out:
        out.write(head + "message and its bytes.\n" + "\n".join(samples) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
