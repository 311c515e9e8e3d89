// A YAML file read onto a process's protobuf message (proto/config): unknown keys and bad values
// are refused by file, line and key path.
#pragma once

#include <string>
#include <vector>

namespace google::protobuf {
class Message;
}

namespace runtime {

struct ConfigSource {
  std::string file;                        // may be empty
  std::vector<std::string> set;            // "c2s.tls=optional", as --set takes them; after the file
  std::string environment_prefix = "XYLEM_";  // XYLEM_C2S__TLS=…, between file and --set
};

// Fills `config`. Every error found, each one sentence with file:line and key path; empty = good.
// Field options (proto/config/options.proto) give default, bounds, `secret`, and `from_file`: a
// secret `x` may be given as `x_file: PATH` or `${env:NAME}`.
// Durations are written "300s", "250ms", "5m", "2h"; sizes "256KiB", "4MiB", onto integer fields
// with unit option ms or bytes.
std::vector<std::string> LoadConfig(const ConfigSource& source, google::protobuf::Message* config);

// YAML of the effective configuration; secrets as "[secret]".
std::string PrintConfig(const google::protobuf::Message& config);

// The manual: every key with its comment, type, unit, default, bounds (Markdown).
std::string DescribeConfig(const google::protobuf::Message& config);

}  // namespace runtime
