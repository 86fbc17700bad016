#include "findings.h"

#include "text.h"

namespace kvtool {

namespace {

Json fault_json(const quire::Fault& fault) {
  Json json = {{"page", fault.page}, {"reason", fault.reason}};
  if (!fault.keys) return json;
  set_json_bytes(json, "table", fault.keys->table);
  if (fault.keys->first) set_json_bytes(json, "first_key", *fault.keys->first);
  if (fault.keys->limit) set_json_bytes(json, "limit_key", *fault.keys->limit);
  return json;
}

}  // namespace

void write_faults(Output& output, const std::string& label, const std::vector<quire::Fault>& faults,
                  std::uint64_t fault_count) {
  for (const quire::Fault& fault : faults) {
    const std::string page = fault.page == 0 ? "" : "page " + std::to_string(fault.page) + ": ";
    output.write(label + page + escaped(fault.reason) + "\n");
  }
  if (fault_count > faults.size()) {
    output.write("and " + grouped(fault_count - faults.size()) + " more\n");
  }
}

Json faults_json(const std::vector<quire::Fault>& faults) {
  Json list = Json::array();
  for (const quire::Fault& fault : faults) list.push_back(fault_json(fault));
  return list;
}

}  // namespace kvtool
