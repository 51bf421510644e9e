// gw: the gateway as a program. Everything it does is in the library; here are only words.
//
//   gw run gw.yaml        curl 127.0.0.1:8000/foo
//   gw check gw.yaml
//   gw routes gw.yaml
//   gw explain gw.yaml GET /foo/x -H 'x-user: 7'
//   gw demo               curl 127.0.0.1:8000/foo; curl 127.0.0.1:8000/bar
#include "demo.hpp"

#include <gw/gw.hpp>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

void log_to_stderr(gw::LogLevel level, std::string_view line) {
  static constexpr const char* names[] = {"error", "warning", "info"};
  const std::string text = std::string("gw: ") + names[static_cast<int>(level)] + ": " + std::string(line) + '\n';
  // One write: lines of several workers do not mix.
  std::fwrite(text.data(), 1, text.size(), stderr);
}

void run(const std::string& file) {
  gw::Gateway app = gw::Gateway::from_file(file);
  app.log_to(log_to_stderr);
  app.run();
}

void check(const std::string& file) {
  for (gw::Problem& warning : gw::Gateway::from_file(file).check()) {
    warning.what = "warning: " + warning.what;
    std::cerr << warning.text() << '\n';
  }
  std::cout << file << ": ok\n";
}

void show_routes(const std::string& file) { std::cout << to_text(gw::Gateway::from_file(file).routes()); }

struct Question {
  std::string method = "GET";
  std::string target = "/";
  std::vector<std::string> fields;  // "name: value"
  std::string peer;
  bool is_http10 = false;
  bool wants_json = false;
};

// Views the question. Throws std::invalid_argument for what is no request.
gw::Request request_of(const Question& question) {
  const auto method = gw::parse_method(question.method);
  if (!method) throw std::invalid_argument("unknown method: " + question.method);
  // "http://host/path" is read where the rest is, as it overrules the Host field (RFC 9112 3.2.2).
  const std::string_view target = question.target;
  const bool is_url = gw::iequals(target.substr(0, 7), "http://") || gw::iequals(target.substr(0, 8), "https://");
  gw::Request request(*method, is_url ? "/" : target);
  if (is_url) request.borrow_target(target, target, {}, false, {});
  if (question.is_http10) request.version = gw::Version::http10;
  for (const std::string& field : question.fields) {
    const std::size_t colon = field.find(':');
    if (colon == std::string::npos) throw std::invalid_argument("a header is written \"name: value\": " + field);
    const std::size_t value = field.find_first_not_of(" \t", colon + 1);
    const std::size_t end = field.find_last_not_of(" \t");
    request.headers.add(field.substr(0, colon), value == std::string::npos ? "" : field.substr(value, end + 1 - value));
  }
  return request;
}

void explain(const std::string& file, const Question& question) {
  const gw::Request request = request_of(question);
  if (!question.peer.empty() && !gw::IpAddress::parse(question.peer)) throw std::invalid_argument("not an IP address: " + question.peer);
  const gw::Explanation explanation = gw::Gateway::from_file(file).explain(request, question.peer);
  std::cout << (question.wants_json ? explanation.json() : explanation.text());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App cli("gw, an API gateway");
  cli.require_subcommand(1);
  cli.set_version_flag("--version", "gw " GW_VERSION);
  std::string file;
  std::uint16_t port = 8000;

  CLI::App* run_command = cli.add_subcommand("run", "Serve as a configuration file says, until SIGTERM or Ctrl-C; SIGHUP reads it again");
  run_command->add_option("FILE", file, "gw.yaml, or JSON when it ends in .json")->required();
  CLI::App* check_command = cli.add_subcommand("check", "Print every problem of a configuration file, and warnings; exit status 1 if there is a problem");
  check_command->add_option("FILE", file, "gw.yaml, or JSON when it ends in .json")->required();
  CLI::App* routes_command = cli.add_subcommand("routes", "Print the routes of a configuration file in the order in which they win");
  routes_command->add_option("FILE", file, "gw.yaml, or JSON when it ends in .json")->required();
  Question question;
  CLI::App* explain_command = cli.add_subcommand("explain", "Print which route takes a request, why the others do not, and what goes upstream");
  explain_command->add_option("FILE", file, "gw.yaml, or JSON when it ends in .json")->required();
  explain_command->add_option("METHOD", question.method, "GET, POST, ...")->required();
  explain_command->add_option("TARGET", question.target, "/path?query, or http://host/path?query")->required();
  explain_command->add_option("-H,--header", question.fields, "\"name: value\"; more than once for more")->allow_extra_args(false);
  explain_command->add_option("--peer", question.peer, "IP address that the request comes from, to the first listener");
  explain_command->add_flag("--http1.0", question.is_http10, "The request is one of HTTP/1.0, which may have no Host");
  explain_command->add_flag("--json", question.wants_json, "Print JSON");
  CLI::App* demo_command = cli.add_subcommand("demo", "Run two small services, foo and bar, and a gateway in front of them");
  demo_command->add_option("--port", port, "Where the gateway listens on 127.0.0.1")->capture_default_str();
  CLI::App* version_command = cli.add_subcommand("version", "Print the version");
  CLI11_PARSE(cli, argc, argv);

  try {
    if (*run_command) run(file);
    if (*check_command) check(file);
    if (*routes_command) show_routes(file);
    if (*explain_command) explain(file, question);
    if (*demo_command) demo::run(port, log_to_stderr);
    if (*version_command) std::cout << "gw " GW_VERSION "\n";
  } catch (const gw::ConfigError& e) {
    std::cerr << e.what() << '\n';
    return 1;
  } catch (const std::invalid_argument& e) {
    std::cerr << "gw: " << e.what() << '\n';
    return 1;
  }
  return 0;
}
