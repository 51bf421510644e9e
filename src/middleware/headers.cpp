#include <gw/middleware/headers.hpp>

#include "h1/rules.hpp"
#include "middleware/owned_fields.hpp"

namespace gw {
inline namespace v0 {
namespace {

constexpr std::string_view name_of_stage = "headers";

void set_and_add(const HeaderEdits& edits, Headers& headers) {
  for (const auto& [name, value] : edits.set) headers.set(name, value);
  for (const auto& [name, value] : edits.add) headers.add(name, value);
}

// What is taken from a client must not come back under a name that is the same to some upstreams.
void apply_to_request(const HeaderEdits& edits, Headers& headers) {
  for (const std::string& name : edits.remove) headers.remove_if([&](const Headers::Field& f) { return h1::is_named(f.name, name); });
  set_and_add(edits, headers);
}

void apply_to_response(const HeaderEdits& edits, Headers& headers) {
  for (const std::string& name : edits.remove) headers.remove(name);
  set_and_add(edits, headers);
}

struct RequestEdits {
  static constexpr std::string_view stage_name = name_of_stage;
  HeaderEdits edits;
  void request(Context& c) const { apply_to_request(edits, c.req.headers); }
};

struct ResponseEdits {
  static constexpr std::string_view stage_name = name_of_stage;
  HeaderEdits edits;
  void response(Context& c) const { apply_to_response(edits, c.res.headers); }
};

struct BothEdits {
  static constexpr std::string_view stage_name = name_of_stage;
  HeadersOptions options;
  void request(Context& c) const { apply_to_request(options.request, c.req.headers); }
  void response(Context& c) const { apply_to_response(options.response, c.res.headers); }
};

/// Collects what is wrong with the edits of one message, which `path` names.
class Check {
 public:
  Check(std::string path, Problems& problems) : path_(std::move(path)), problems_(&problems) {}

  void name(std::string_view list, std::string_view name) const {
    if (!is_token(name)) return report(list, '"' + std::string(name) + "\" is not a header name");
    if (detail::is_owned_field(name)) return report(list, std::string(name) + " belongs to gw: it frames the message or is about one connection");
  }
  void not_host(std::string_view list, std::string_view name) const {
    if (iequals(name, "Host")) report(list, "a request has exactly one Host: it can only be set");
  }
  void value(std::string_view list, std::string_view name, std::string_view value) const {
    if (!is_field_value(value)) report(list, "the value of " + std::string(name) + " has a control character, or a space at an end");
  }

 private:
  void report(std::string_view list, std::string what) const {
    problems_->push_back({Place{{}, 0, 0, path_ + '.' + std::string(list)}, std::move(what)});
  }

  std::string path_;
  Problems* problems_;
};

void check(const HeaderEdits& edits, bool is_request, const Check& check) {
  for (const std::string& name : edits.remove) {
    check.name("remove", name);
    if (is_request) check.not_host("remove", name);
  }
  for (const auto& [name, value] : edits.set) {
    check.name("set", name);
    check.value("set", name, value);
  }
  for (const auto& [name, value] : edits.add) {
    check.name("add", name);
    check.value("add", name, value);
    if (is_request) check.not_host("add", name);
  }
}

bool is_empty(const HeaderEdits& edits) { return edits.set.empty() && edits.add.empty() && edits.remove.empty(); }

}  // namespace

Stage headers(HeadersOptions options) {
  Problems problems;
  check(options.request, true, Check("request", problems));
  check(options.response, false, Check("response", problems));
  const bool no_request = is_empty(options.request), no_response = is_empty(options.response);
  if (no_request && no_response) problems.push_back({{}, "headers has nothing to set, add or remove"});
  if (!problems.empty()) throw ConfigError(std::move(problems));

  if (no_response) return RequestEdits{std::move(options.request)};
  if (no_request) return ResponseEdits{std::move(options.response)};
  return BothEdits{std::move(options)};
}

}  // namespace v0
}  // namespace gw
