// Reads a protobuf message's fields where they lie: what the stanza path uses instead of message
// objects. The counterpart of WireWriter.
#pragma once

#include <cstdint>
#include <string_view>

namespace runtime {

// Walks over the fields of one message, in the order they were written. Groups are malformed.
class WireReader {
 public:
  explicit WireReader(std::string_view message) : rest_(message) {}

  // The next field; false at the end, or where the message is malformed.
  bool Next() {
    uint64_t tag;
    if (rest_.empty()) return false;
    if (!ReadVarint(&tag)) return Fail();
    field_ = static_cast<int>(tag >> 3);
    number_ = 0;
    bytes_ = {};
    switch (tag & 7) {
      case 0:
        return ReadVarint(&number_) || Fail();
      case 1:
        return ReadFixed(8) || Fail();
      case 2: {
        uint64_t size;
        if (!ReadVarint(&size) || size > rest_.size()) return Fail();
        bytes_ = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return true;
      }
      case 5:
        return ReadFixed(4) || Fail();
      default:
        return Fail();
    }
  }

  int field() const { return field_; }
  uint64_t number() const { return number_; }           // of a varint or fixed field, else 0
  std::string_view bytes() const { return bytes_; }     // of a string, bytes or message, else empty
  bool malformed() const { return malformed_; }

 private:
  bool Fail() {
    malformed_ = true;
    return false;
  }
  bool ReadVarint(uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      *value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }
  bool ReadFixed(size_t width) {
    if (rest_.size() < width) return false;
    for (size_t i = 0; i < width; ++i) {
      number_ |= static_cast<uint64_t>(static_cast<unsigned char>(rest_[i])) << (8 * i);
    }
    rest_.remove_prefix(width);
    return true;
  }

  std::string_view rest_, bytes_;
  uint64_t number_ = 0;
  int field_ = 0;
  bool malformed_ = false;
};

}  // namespace runtime
