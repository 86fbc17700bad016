#include "failure.h"
#include "load_format.h"
#include "text.h"

namespace kvtool {

namespace {

class TsvFormat final : public LoadFormat {
 public:
  explicit TsvFormat(bool is_hex) : decode_(is_hex ? decode_hex : unescape) {}

  ItemKind read(Bytes line, LoadItem& item) override {
    // A carriage return that is data is written as \r, so this one ends a line made elsewhere.
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    const std::size_t tab = line.find('\t');
    if (tab == Bytes::npos) {
      throw Failure(ExitCode::usage, "no tab between key and value");
    }
    decode_(line.substr(0, tab), item.key);
    decode_(line.substr(tab + 1), item.value);
    return ItemKind::entry;
  }

 private:
  void (*decode_)(Bytes text, std::string& bytes);
};

}  // namespace

std::unique_ptr<LoadFormat> make_tsv_format(bool is_hex) {
  return std::make_unique<TsvFormat>(is_hex);
}

}  // namespace kvtool
