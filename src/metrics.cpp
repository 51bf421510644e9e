#include <gw/metrics.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace gw {
inline namespace v0 {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

/// What is before the first `mark`, without white space around it; `rest` keeps what is behind it.
std::string_view take_part(std::string_view& rest, char mark) {
  const std::size_t end = std::min(rest.find(mark), rest.size());
  const std::string_view part = trimmed(rest.substr(0, end));
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

/// A weight (RFC 9110 12.4.2) in thousandths; 0 if it is none.
int weight_of(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1') || (text.size() > 1 && text[1] != '.')) return 0;
  int weight = (text[0] - '0') * 1000;
  for (std::size_t i = 2, unit = 100; i < text.size(); ++i, unit /= 10) {
    if (text[i] < '0' || text[i] > '9') return 0;
    weight += (text[i] - '0') * static_cast<int>(unit);
  }
  return std::min(weight, 1000);
}

struct Weights {
  int openmetrics = 0;
  int text = 0;
};

void read_range(std::string_view range, Weights& weights) {
  const std::string_view type = take_part(range, ';');
  int weight = 1000;
  bool is_known_version = true;
  while (!range.empty()) {
    std::string_view parameter = take_part(range, ';');
    const std::string_view name = take_part(parameter, '=');
    const std::string_view value = trimmed(parameter);
    if (iequals(name, "q")) weight = weight_of(value);
    if (iequals(name, "version")) is_known_version = value == "1.0.0" || value == "\"1.0.0\"";
  }
  if (iequals(type, "application/openmetrics-text")) {
    if (is_known_version) weights.openmetrics = std::max(weights.openmetrics, weight);
  } else if (iequals(type, "text/plain") || iequals(type, "text/*") || type == "*/*") {
    weights.text = std::max(weights.text, weight);
  }
}

}  // namespace

bool detail::wants_openmetrics(const Headers& headers) {
  Weights weights;
  for (const Headers::Field& field : headers)
    if (iequals(field.name, "accept")) for_each_element(field.value, [&](std::string_view range) { read_range(range, weights); });
  return weights.openmetrics > 0 && weights.openmetrics >= weights.text;
}

Response detail::metrics_response(std::string text, bool is_openmetrics) {
  Response response(200, std::move(text));
  response.headers.set("Content-Type", is_openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                                      : "text/plain; version=0.0.4; charset=utf-8");
  response.headers.set("Vary", "Accept");
  return response;
}

Handler metrics() {
  return [](Context& c) {
    const bool is_openmetrics = detail::wants_openmetrics(c.req.headers);
    detail::Host* const host = detail::ContextAccess::host(c);
    return detail::metrics_response(host ? host->metrics(is_openmetrics) : std::string(), is_openmetrics);
  };
}

}  // namespace v0
}  // namespace gw
