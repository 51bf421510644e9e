// gw: the gateway as a program. Everything it does is in the library; here are only words.
//
//   gw run gw.yaml        curl 127.0.0.1:8000/foo
//   gw check gw.yaml
//   gw routes gw.yaml
//   gw demo               curl 127.0.0.1:8000/foo; curl 127.0.0.1:8000/bar
#include "demo.hpp"

#include <gw/gw.hpp>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <iostream>
#include <string>

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

}  // namespace

int main(int argc, char** argv) {
  CLI::App cli("gw, an API gateway");
  cli.require_subcommand(1);
  std::string file;
  std::uint16_t port = 8000;

  CLI::App* run_command = cli.add_subcommand("run", "Serve as a configuration file says, until SIGTERM or Ctrl-C; SIGHUP reads it again");
  run_command->add_option("FILE", file, "gw.yaml, or JSON when it ends in .json")->required();
  CLI::App* check_command = cli.add_subcommand("check", "Print every problem of a configuration file, and warnings; exit status 1 if there is a problem");
  check_command->add_option("FILE", file, "gw.yaml, or JSON when it ends in .json")->required();
  CLI::App* routes_command = cli.add_subcommand("routes", "Print the routes of a configuration file in the order in which they win");
  routes_command->add_option("FILE", file, "gw.yaml, or JSON when it ends in .json")->required();
  CLI::App* demo_command = cli.add_subcommand("demo", "Run two small services, foo and bar, and a gateway in front of them");
  demo_command->add_option("--port", port, "Where the gateway listens on 127.0.0.1")->capture_default_str();
  CLI::App* version_command = cli.add_subcommand("version", "Print the version");
  CLI11_PARSE(cli, argc, argv);

  try {
    if (*run_command) run(file);
    if (*check_command) check(file);
    if (*routes_command) show_routes(file);
    if (*demo_command) demo::run(port, log_to_stderr);
    if (*version_command) std::cout << "gw " GW_VERSION "\n";
  } catch (const gw::ConfigError& e) {
    std::cerr << e.what() << '\n';
    return 1;
  }
  return 0;
}
