#include <utility>

#include "failure.h"
#include "json.h"
#include "load_format.h"
#include "text.h"

namespace kvtool {

namespace {

[[noreturn]] void refuse(const std::string& reason) { throw Failure(ExitCode::usage, reason); }

// Takes the bytes of `name` out of the object.
void take_bytes(Json& object, const std::string& name, std::string& bytes) {
  const auto text = object.find(name);
  const auto digits = object.find(name + "_hex");
  if ((text == object.end()) == (digits == object.end())) {
    refuse("exactly one of \"" + name + "\" and \"" + name + "_hex\" must be there");
  }
  const auto member = text != object.end() ? text : digits;
  if (!member->is_string()) {
    refuse("\"" + member.key() + "\" must be a string");
  }
  auto& string = member->get_ref<std::string&>();
  if (text != object.end()) {
    bytes = std::move(string);
  } else {
    decode_hex(string, bytes);
  }
}

class JsonFormat final : public LoadFormat {
 public:
  ItemKind read(Bytes line, LoadItem& item) override {
    if (line.find_first_not_of(" \t\r") == Bytes::npos) {
      return ItemKind::none;
    }
    Json object;
    try {
      object = Json::parse(line);
    } catch (const Json::parse_error& error) {
      refuse("not JSON at byte " + std::to_string(error.byte) + " of the line");
    } catch (const Json::out_of_range&) {
      refuse("a number that is too large");
    }
    if (!object.is_object()) {
      refuse("not a JSON object");
    }
    take_bytes(object, "key", item.key);
    take_bytes(object, "value", item.value);
    if (object.size() != 2) {
      refuse("an entry has a key and a value and nothing else");
    }
    return ItemKind::entry;
  }
};

}  // namespace

std::unique_ptr<LoadFormat> make_json_format() { return std::make_unique<JsonFormat>(); }

}  // namespace kvtool
