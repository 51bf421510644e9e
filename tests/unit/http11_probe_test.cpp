#include <doctest/doctest.h>

#include "wire/transcript.hpp"

#include <rapidjson/document.h>
#include <rapidjson/istreamwrapper.h>

#include <cctype>
#include <fstream>
#include <vector>

namespace {

constexpr std::size_t whole = static_cast<std::size_t>(-1);

struct Probe {
  std::string id;
  std::string expected;
  std::string bytes;
};

/// JSON keeps each byte of a request as a code point below 256.
std::string latin1(std::string_view utf8) {
  std::string bytes;
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto c = static_cast<unsigned char>(utf8[i]);
    if (c < 0x80) bytes += utf8[i];
    else bytes += static_cast<char>(((c & 0x03) << 6) | (static_cast<unsigned char>(utf8[++i]) & 0x3f));
  }
  return bytes;
}

std::vector<Probe> read_probes() {
  std::ifstream stream(GW_TEST_DATA "/http11_probe_sample.json");
  RAPIDJSON_NAMESPACE::IStreamWrapper wrapper(stream);
  RAPIDJSON_NAMESPACE::Document document;
  document.ParseStream(wrapper);
  REQUIRE(!document.HasParseError());
  std::vector<Probe> probes;
  for (const auto& c : document["cases"].GetArray()) {
    const auto& request = c["request"];
    probes.push_back({c["id"].GetString(), c["expected"].GetString(), latin1({request.GetString(), request.GetStringLength()})});
  }
  return probes;
}

/// What became of the first request of a transcript: a status from 400 on, 200, or 0: bytes are missing.
int verdict(const std::string& transcript) {
  const std::string error = "error ";
  const std::size_t at = transcript.find(error);
  if (at == std::string::npos) return transcript.find("more\n") == std::string::npos ? 200 : 0;
  const std::string name = transcript.substr(at + error.size(), transcript.size() - at - error.size() - 1);
  for (int value = 1; value <= static_cast<int>(gw::Error::response_too_large); ++value) {
    const gw::Error e{value};
    if (gw::name_of(e) == name) return gw::status_of(e);
  }
  return -1;
}

/// "400 or close (pass), 2xx (warn)": the strict half is what comes before "(pass)".
std::string strict_part(const std::string& expected) { return expected.substr(0, expected.find("(pass)")); }

/// Whether a verdict is the strictest of those that a case allows: "400 or 2xx" means 400.
bool is_strict(const Probe& probe, int status) {
  const std::string expected = strict_part(probe.expected);
  const auto has = [&](std::string_view what) { return expected.find(what) != std::string::npos; };
  if (status == 0) return has("timeout");
  // Backslashes are refused with the path, when its route is looked for.
  if (status == 200) return has("2xx") && (!has("400") || probe.id == "MAL-URL-BACKSLASH");
  // Refusing closes the connection, too.
  return has(std::to_string(status)) || has("close");
}

}  // namespace

TEST_CASE("codec: every case of Http11Probe gets a verdict of a strict server") {
  const std::vector<Probe> probes = read_probes();
  CHECK(probes.size() == 52);
  int refused = 0, accepted = 0, waiting = 0;
  for (const Probe& probe : probes) {
    const std::string transcript = wire::read_requests(probe.bytes, whole);
    const int status = verdict(transcript);
    INFO(probe.id, " expects ", probe.expected, " got ", status, "\n", transcript);
    CHECK(is_strict(probe, status));
    ++(status == 0 ? waiting : status == 200 ? accepted : refused);
  }
  // So that a verdict which changes is looked at, even if both are allowed.
  CHECK(refused == 44);
  CHECK(accepted == 5);
  CHECK(waiting == 3);
}

TEST_CASE("codec: no case of Http11Probe changes when it is split, at whatever byte") {
  for (const Probe& probe : read_probes()) {
    const std::string at_once = wire::read_requests(probe.bytes, whole);
    INFO(probe.id);
    for (std::size_t split = 1; split < probe.bytes.size(); ++split) CHECK(wire::read_requests(probe.bytes, split) == at_once);
  }
}
