#include <gw/config.hpp>

#include "config_reading.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

using namespace config_reading;
using Lines = std::vector<std::string>;

namespace {

std::string contents(const std::string& name) {
  std::ifstream file(std::string(GW_TEST_DATA) + "/config/" + name, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string describe(const gw::HashKey& hash) {
  constexpr const char* kinds[] = {"client_address", "path", "header ", "cookie "};
  return kinds[static_cast<int>(hash.kind)] + hash.name;
}

/// What upstreams do about failures and load, as text.
std::string describe(const gw::UpstreamOptions& o) {
  std::ostringstream out;
  const auto ms = [](gw::Duration d) { return d.count(); };
  const auto statuses = [&](const std::vector<int>& all) {
    for (int status : all) out << ' ' << status;
    out << " |";
  };
  if (const auto& s = o.sticky) out << "sticky " << s->cookie << ' ' << s->secret << ' ' << (s->max_age ? ms(*s->max_age) : 0) << '\n';
  if (const auto& c = o.health.check) {
    out << "check " << c->path;
    statuses(c->statuses);
    out << ' ' << ms(c->interval) << ' ' << ms(c->timeout) << ' ' << c->healthy << ' ' << c->unhealthy << '\n';
  }
  const auto& e = o.health.eject;
  out << "eject " << e.failures << ' ' << e.error_rate << ' ' << e.requests << ' ' << ms(e.window) << ' ' << ms(e.time) << ' '
      << ms(e.longest) << ' ' << e.share << '\n';
  const auto& r = o.retries;
  out << "retries " << r.max;
  statuses(r.statuses);
  out << ' ' << r.all_methods << ' ' << ms(r.per_try) << ' ' << ms(r.total) << ' ' << ms(r.backoff) << ' ' << r.body << ' '
      << r.budget << ' ' << r.floor << '\n';
  out << "requests " << o.requests << " queue " << o.queue.length << ' ' << ms(o.queue.time) << " slow_start " << ms(o.slow_start) << '\n';
  if (const auto& b = o.breaker)
    out << "breaker " << b->error_rate << ' ' << b->requests << ' ' << ms(b->window) << ' ' << ms(b->open) << '\n';
  if (const auto* name = std::get_if<std::string>(&o.fallback)) out << "fallback " << *name << '\n';
  if (const auto* reply = std::get_if<gw::ReplyConfig>(&o.fallback))
    out << "fallback " << reply->status << " [" << reply->content.value_or("-") << "]\n";
  return out.str();
}

/// A config as text, everything of it but the places.
std::string describe(const gw::Config& c) {
  std::ostringstream out;
  const auto ms = [](gw::Duration d) { return d.count(); };
  for (const auto& l : c.listen) {
    out << "listen " << l.address;
    for (const auto& network : l.options.trusted) out << " trusted " << network;
    out << '\n';
  }
  if (!c.admin.address.empty()) out << "admin " << c.admin.address << '\n';
  out << "workers " << c.workers << "\nwrong_method " << c.wrong_method << "\nname_servers";
  for (const auto& server : c.name_servers) out << ' ' << server;
  out << "\ntimeouts " << ms(c.timeouts.client_header) << ' ' << ms(c.timeouts.client_idle) << ' '
      << ms(c.timeouts.client_body) << ' ' << ms(c.timeouts.client_write) << ' ' << ms(c.timeouts.drain) << "\nlimits " << c.limits.head
      << ' ' << c.limits.fields << ' ' << c.limits.target << ' ' << c.limits.body << ' ' << c.limits.connections << ' '
      << c.limits.trailers << ' ' << c.limits.chunk_extensions << ' ' << c.limits.connections_per_client << ' ' << c.limits.requests_per_connection << ' '
      << c.limits.body_rate << ' ' << c.limits.write_rate << '\n';
  const auto use = [&](const std::vector<gw::StageConfig>& stages) {
    for (const auto& s : stages) out << "use " << s.name() << (s.stage() ? " made" : " named") << '\n';
  };
  use(c.use);
  for (const auto& u : c.upstreams) {
    out << "upstream " << u.name;
    for (const auto& e : u.endpoints) out << ' ' << e.address << '*' << e.weight;
    const auto& o = u.options;
    constexpr const char* balances[] = {"p2c", "round_robin", "least_requests", "random", "maglev"};
    out << ' ' << balances[static_cast<int>(o.balance)];
    if (o.balance == gw::Balance::maglev) out << ' ' << describe(o.hash);
    out << ' ' << ms(o.timeouts.connect) << ' '
        << ms(o.timeouts.first_byte) << ' ' << ms(o.timeouts.body) << ' ' << ms(o.timeouts.idle) << ' ' << ms(o.timeouts.tunnel) << ' ' << o.base_path << ' '
        << o.idle_connections << ' ' << o.connections << '\n';
    if (describe(o) != describe(gw::UpstreamOptions())) out << describe(o);
  }
  for (const auto& r : c.routes) {
    out << "route " << r.rule.name << (r.rule.kind == gw::RouteRule::Kind::path ? " path " : " prefix ") << r.rule.pattern;
    for (const auto& h : r.rule.hosts) out << " host=" << h;
    for (const auto name : gw::detail::method_names)
      if (r.rule.methods.contains(*gw::parse_method(name))) out << ' ' << name;
    for (const auto& t : r.rule.headers) out << ' ' << t.name << ':' << t.value;
    for (const auto& t : r.rule.query) out << ' ' << t.name << '=' << t.value;
    if (const auto* f = std::get_if<gw::ForwardConfig>(&r.action)) {
      out << " forward " << f->to;
      for (const auto& part : f->split) out << ' ' << part.to << '*' << part.weight;
      if (f->hash) out << " by " << describe(*f->hash);
      if (f->chosen_by) out << " chosen by " << describe(*f->chosen_by);
    }
    if (const auto* to = std::get_if<gw::RedirectConfig>(&r.action)) out << " redirect " << to->status << ' ' << to->to << (to->keep_query ? "" : " no query");
    if (const auto* f = std::get_if<gw::ReplyConfig>(&r.action)) {
      out << " reply " << f->status << ' ' << f->content_type << " [" << f->content.value_or("-") << ']';
      for (const auto& [name, value] : f->headers) out << ' ' << name << ':' << value;
    }
    if (r.rewrite) out << " rewrite " << r.rewrite->to;
    const auto some = [&](const char* name, const std::optional<gw::Duration>& d) {
      if (d) out << ' ' << name << '=' << ms(*d);
    };
    some("client_body", r.timeouts.client_body), some("client_write", r.timeouts.client_write), some("connect", r.timeouts.connect);
    some("first_byte", r.timeouts.first_byte), some("body", r.timeouts.body), some("tunnel", r.timeouts.tunnel);
    if (r.limits.body) out << " limit=" << *r.limits.body;
    if (r.limits.body_rate) out << " body_rate=" << *r.limits.body_rate;
    if (r.limits.write_rate) out << " write_rate=" << *r.limits.write_rate;
    if (const auto* h = std::get_if<gw::HandlerConfig>(&r.action)) out << " handler " << h->name << (h->handler ? " made" : " named");
    out << (r.strip_prefix ? " strip" : "") << (r.preserve_host ? " preserve" : "") << (r.rule.keep_slashes ? " slashes" : "");
    if (r.upgrade != gw::RouteConfig().upgrade) {
      out << " upgrade";
      for (const auto& protocol : r.upgrade) out << ' ' << protocol;
    }
    out << '\n';
    use(r.use);
  }
  return out.str();
}

}  // namespace

TEST_CASE("config: every key arrives in its field, from YAML and from JSON") {
  const std::string expected =
      "listen 127.0.0.1:8000\nlisten [::1]:8001 trusted 10.0.0.0/8 trusted ::1\nlisten :8002\n"
      "admin :8003\n"
      "workers 3\n"
      "wrong_method 404\n"
      "name_servers 192.0.2.53 [2001:db8::53]:8600\n"
      "timeouts 1000 120000 3000 4000 250\n"
      "limits 32768 50 4096 2147483648 123 2048 512 12 500 1024 0\n"
      "use request_id made\nuse access_log made\nuse headers made\nuse ip_filter made\nuse rate_limit made\n"
      "upstream users 10.0.0.1:8080*1 http://10.0.0.2:8080*2 users.internal*1 round_robin 1000 5000 6000 7000 480000 /v1 5 9\n"
      "upstream orders [::1]:9000*1 orders.internal:9000*1 p2c 2000 30000 30000 4000 3600000 / 64 1024\n"
      "upstream single localhost:9100*1 p2c 2000 30000 30000 4000 3600000 / 64 1024\n"
      "upstream careful h*1 maglev header x-user 2000 30000 30000 4000 3600000 / 64 1024\n"
      "sticky node 0123456789abcdef 3600000\n"
      "check /health?deep 200 204 | 7000 1000 3 4\n"
      "eject 6 51 21 11000 4000 61000 91\n"
      "retries 4 502 503 | 1 1000 9000 0 131072 30 5\n"
      "requests 1000 queue 100 2000 slow_start 10000\n"
      "breaker 52 22 12000 6000\n"
      "fallback spare\n"
      "upstream spare i*1 least_requests 2000 30000 30000 4000 3600000 / 64 1024\n"
      "check  | 5000 2000 1 2\n"
      "eject 5 50 20 10000 5000 60000 90\n"
      "retries 0 | 0 2000 30000 25 65536 20 10\n"
      "requests 0 queue 0 1000 slow_start 0\n"
      "breaker 50 20 10000 5000\n"
      "fallback 503 [{\"sorry\":true}]\n"
      "route  prefix /foo forward http://127.0.0.1:5001/base\n"
      "route user path /users/{id} host=api.example.com host=*.example.org GET PUT x-version:2 accept:* debug=* lang=d\xc3\xa9 empty= "
      "forward users\n"
      "use beta_gate named\nuse request_id made\n"
      "route  prefix /api host=one.example.com POST forward orders strip preserve slashes upgrade websocket tcp/2\n"
      "route  path /hello handler hello named\n"
      "route  prefix /v1 forward users rewrite /v2{rest} client_body=1000 client_write=2000 connect=3000 first_byte=4000 body=5000 tunnel=6000 "
      "limit=1048576 body_rate=0 write_rate=100 upgrade\n"
      "use body_limit made\nuse body_limit made\n"
      "route  path /old/{id} redirect 308 https://{host}/new/{id} no query\n"
      "route  prefix /older redirect 302 /new\n"
      "route  path /text reply 503 text/plain; charset=utf-8 [closed] retry-after:60 x-many:a x-many:b\n"
      "route  path /json reply 200 application/json [{\"up\":true,\"since\":2026,\"text\":\"7\",\"none\":null,\"list\":[1.5,\"\xc3\xa9\"]}]\n"
      "route  path /nothing reply 204 text/plain; charset=utf-8 [-]\n"
      "route  path /ok reply 200 text/plain; charset=utf-8 [fine]\n"
      "route  prefix /canary forward  users*95 http://127.0.0.1:5002/v2*5 by cookie id chosen by header x-upstream\n"
      "route  prefix /half forward  users*1 orders*0\n";
  const auto yaml = read(contents("every_key.yaml"));
  CHECK(join(yaml.problems) == join(Lines{}));
  CHECK(describe(yaml.config) == expected);
  const auto json = read(contents("every_key.json"), gw::Notation::json);
  CHECK(join(json.problems) == join(Lines{}));
  CHECK(describe(json.config) == expected);
}

TEST_CASE("config: only the text of a reply may have lines") {
  const Outcome many = read("routes:\n- prefix: /robots.txt\n  reply:\n    text: |\n      User-agent: *\n      Disallow: /\n    status: 200\n");
  CHECK(join(many.problems) == "");
  CHECK(std::get<gw::ReplyConfig>(many.config.routes.at(0).action).content.value_or("-") == "User-agent: *\nDisallow: /\n");
  CHECK(join(read("routes: [{prefix: /, reply: \"a\\n\\tb\"}]").problems) == "");
  CHECK(join(read("routes: [{prefix: /, name: \"a\\nb\", reply: 200}]").problems) ==
        "gw:1:28: routes[0].name: control character U+000A is not allowed\n");
  CHECK(join(read("routes: [{prefix: /, reply: \"a\\u0000\"}]").problems) ==
        "gw:1:29: routes[0].reply: control character U+0000 is not allowed\n");
}

TEST_CASE("config: what is left out keeps its default") {
  CHECK(describe(read("{}").config) == describe(gw::Config{}));
  CHECK(join(read("{}").problems) == join(Lines{}));
}

TEST_CASE("config: values know where they stand") {
  const auto config =
      read("listen: [\":1\",\n  \":2\"]\nworkers: 2\nuse: [a]\nupstreams:\n  u: h\nroutes:\n  - prefix: /a\n    use: [b]\n    forward: u\n")
          .config;
  const auto at = [](const gw::Place& p) { return gw::Problem{p, "x"}.text(); };
  CHECK(at(config.listen[1].place) == "gw:2:3: listen[1]: x");
  CHECK(at(config.workers_place) == "gw:3:10: workers: x");
  CHECK(at(config.use[0].place()) == "gw:4:7: use[0]: x");
  CHECK(at(config.upstreams[0].place) == "gw:6:3: upstreams.u: x");
  CHECK(at(config.routes[0].place) == "gw:8:5: routes[0]: x");
  CHECK(at(config.routes[0].use[0].place()) == "gw:9:11: routes[0].use[0]: x");
  CHECK(at(std::get<gw::ForwardConfig>(config.routes[0].action).place) == "gw:10:14: routes[0].forward: x");
}

TEST_CASE("config: five mistakes give five lines, each with its place") {
  const Lines expected{"gw:1:1: unknown key \"lissten\" (did you mean \"listen\"?)",
                       "gw:2:10: workers: expected a whole number from 0 to 1024, found \"many\"",
                       "gw:5:17: upstreams.bar.endpoints[0]: \"10.0.0.1:99999\" is no address: write HOST, HOST:PORT, [IPv6]:PORT, srv:NAME or unix:/PATH, with "
                       "a port from 1 to 65535",
                       "gw:7:23: routes[0].methods[0]: \"get\" is no method that gw knows (did you mean \"GET\"?)",
                       "gw:8:27: routes[1].forward: no upstream is named \"baz\" (did you mean \"bar\"?)"};
  const std::string yaml =
      "lissten: \":8000\"\n"
      "workers: many\n"
      "upstreams:\n"
      "  bar:\n"
      "    endpoints: [\"10.0.0.1:99999\"]\n"
      "routes:\n"
      "- {prefix: /, methods: get, forward: bar}\n"
      "- {prefix: /foo, forward: baz}\n";
  auto with_one_method = expected;
  with_one_method[3] = "gw:7:24: routes[0].methods: \"get\" is no method that gw knows (did you mean \"GET\"?)";
  CHECK(join(read(yaml).problems) == join(with_one_method));
  const std::string json =
      "{\"lissten\": \":8000\",\n"
      "\"workers\": \"many\",\n"
      "\"upstreams\": {\"bar\": {\"endpoints\": [\"10.0.0.1:99999\"]}},\n"
      "\"routes\": [{\"prefix\": \"/\", \"methods\": [\"get\"], \"forward\": \"bar\"},\n"
      "  {\"prefix\": \"/foo\", \"forward\": \"baz\"}]}\n";
  auto in_json = expected;
  in_json[0].replace(0, 6, "gw:1:2");
  in_json[1].replace(0, 7, "gw:2:12");
  in_json[2].replace(0, 7, "gw:3:37");
  in_json[3].replace(0, 7, "gw:4:40");
  in_json[4].replace(0, 7, "gw:5:33");
  CHECK(join(read(json, gw::Notation::json).problems) == join(in_json));
}

TEST_CASE("config: each mistake gives exactly its problem") {
  const std::string upstream = "upstreams: {u: h}\n";
  const std::string route = "upstreams: {u: h}\nroutes:\n- ";
  const std::string actions = "forward, redirect, reply or handler";
  const struct {
    std::string text;
    Lines problems;
  } cases[] = {
      // The whole.
      {"", {"gw:1:1: nothing is configured: the file is empty"}},
      {"# only a comment\n", {"gw:1:1: nothing is configured: the file is empty"}},
      {"---\n", {"gw:1:1: nothing is configured: the file is empty"}},
      {"[a]", {"gw:1:1: expected a map of settings such as listen and routes, found a list"}},
      {"5", {"gw:1:1: expected a map of settings such as listen and routes, found \"5\""}},
      {"admin: {}", {"gw:1:8: admin: listen is missing"}},
      {"admin: {listen: x}", {"gw:1:17: admin.listen: \"x\" is no address to listen on: write IP:PORT, [IPv6]:PORT or :PORT"}},
      {"admin: 127.0.0.1:1", {"gw:1:8: admin: expected a map of keys and values, found \"127.0.0.1:1\""}},
      {"admin: {listen: 127.0.0.1:1, token: x}", {"gw:1:30: admin: unknown key \"token\"; known are \"listen\""}},
      {"zzz: 1", {"gw:1:1: unknown key \"zzz\"; known are " + keys}},
      {"1: x", {"gw:1:1: unknown key \"1\"; known are " + keys}},
      {"true: x", {"gw:1:1: unknown key \"true\"; known are " + keys}},
      // Listeners.
      {"listen:", {"gw:1:1: listen: expected an address or a list of addresses, found nothing"}},
      {"listen: []", {"gw:1:9: listen: the list is empty"}},
      {"listen: 8000", {"gw:1:9: listen: \"8000\" is no address to listen on: write IP:PORT, [IPv6]:PORT or :PORT"}},
      {"listen: localhost:80", {"gw:1:9: listen: \"localhost:80\" is no address to listen on: write IP:PORT, [IPv6]:PORT or :PORT"}},
      {"listen: [\":1\", {}]", {"gw:1:16: listen[1]: address is missing"}},
      {"listen: {address: \":1\", trusted: [\"10.0.0.0/8\", \"::1\"]}", {}},
      {"listen: {address: \":1\", trusted: 10.0.0.0/8}", {}},
      {"listen: {address: \":1\", trusted: []}", {"gw:1:34: listen.trusted: the list is empty"}},
      {"listen: [{address: \":1\", trusted: [10.0.0.0/8, 10.0.0.1/8, proxy]}]",
       {"gw:1:48: listen[0].trusted[1]: \"10.0.0.1/8\" has bits behind its prefix: write 10.0.0.0/8",
        "gw:1:60: listen[0].trusted[2]: \"proxy\" is no network: write an IP address, or one with the length of a prefix, such as 10.0.0.0/8"}},
      {"trusted: 10.0.0.0/8", {"gw:1:1: unknown key \"trusted\"; known are " + keys}},
      {"listen: [\":1\", \"127.0.0.1:1\"]", {"gw:1:16: listen[1]: the address \"127.0.0.1:1\" is taken by listen[0]"}},
      {"listen: [\":0\", \":0\"]", {}},
      // Numbers, durations, sizes.
      {"workers: -1", {"gw:1:10: workers: expected a whole number from 0 to 1024, found \"-1\""}},
      {"workers: 1025", {"gw:1:10: workers: expected a whole number from 0 to 1024, found \"1025\""}},
      {"workers: 010", {"gw:1:10: workers: expected a whole number from 0 to 1024, found \"010\""}},
      {"workers: 2.0", {"gw:1:10: workers: expected a whole number from 0 to 1024, found \"2.0\""}},
      {"workers: 99999999999999999999", {"gw:1:10: workers: expected a whole number from 0 to 1024, found \"99999999999999999999\""}},
      {"workers: \"4\"", {}},
      {"timeouts: {drain: 10}", {"gw:1:19: timeouts.drain: \"10\" has no unit: write 10s or 10ms"}},
      {"timeouts: {drain: 0s}", {"gw:1:19: timeouts.drain: a duration must be above zero"}},
      {"timeouts: {drain: 1d}",
       {"gw:1:19: timeouts.drain: expected a duration such as 10s: a whole number and ms, s, m or h, found \"1d\""}},
      {"timeouts: {drain: 1.5s}",
       {"gw:1:19: timeouts.drain: expected a duration such as 10s: a whole number and ms, s, m or h, found \"1.5s\""}},
      {"timeouts: {drain: 10 s}",
       {"gw:1:19: timeouts.drain: expected a duration such as 10s: a whole number and ms, s, m or h, found \"10 s\""}},
      {"timeouts: {drain: }",
       {"gw:1:12: timeouts.drain: expected a duration such as 10s: a whole number and ms, s, m or h, found nothing"}},
      {"timeouts: {drain: 8760h}", {}},
      {"timeouts: {drain: 8761h}", {"gw:1:19: timeouts.drain: a duration is at most 8760h, found \"8761h\""}},
      {"timeouts: {drain: 99999999999999999999h}",
       {"gw:1:19: timeouts.drain: a duration is at most 8760h, found \"99999999999999999999h\""}},
      {"timeouts: 5s", {"gw:1:11: timeouts: expected a map of keys and values, found \"5s\""}},
      {"timeouts: {client_heder: 1s}", {"gw:1:12: timeouts: unknown key \"client_heder\" (did you mean \"client_header\"?)"}},
      {"limits: {head: 16KB}",
       {"gw:1:16: limits.head: expected a size such as 16KiB: a whole number of bytes, or one with B, KiB, MiB or GiB, found \"16KB\""}},
      {"limits: {head: 1023}", {"gw:1:16: limits.head: expected a size from 1KiB to 1MiB, found \"1023\""}},
      {"limits: {body: 18014398509481984KiB}",
       {"gw:1:16: limits.body: expected a size from 0 to 1073741824GiB, found \"18014398509481984KiB\""}},
      {"limits: {body: 0, head: 2048B, target: 2048}", {}},
      {"limits: {fields: 0}", {"gw:1:18: limits.fields: expected a whole number from 1 to 10000, found \"0\""}},
      {"limits: {target: 17KiB}", {"gw:1:9: limits: target (17KiB) must not be above head (16KiB), which contains it"}},
      // Stages.
      {"use: request_id", {"gw:1:6: use: expected a list of stages, found \"request_id\""}},
      {"use: [{request_id: {a: 1}}]", {"gw:1:20: use[0].request_id: request_id has no options"}},
      {"use:\n- request_id:\n- access_log:", {}},
      {"use: [{jwt: {}}]", {"gw:1:7: use[0]: stage \"jwt\" is not built yet in gw 0.1"}},
      {"use: [rate_limit]", {"gw:1:7: use[0]: rate_limit needs a rate from 1 to 1000000000"}},
      {"use: [{rate_limit: {per: 1s}}]", {"gw:1:20: use[0].rate_limit: rate_limit needs a rate from 1 to 1000000000"}},
      {"use: [{rate_limit: {rate: 0, by: nobody}}]",
       {"gw:1:27: use[0].rate_limit.rate: expected a whole number from 1 to 1000000000, found \"0\"",
        "gw:1:34: use[0].rate_limit.by: expected client, consumer or {header: NAME}, found \"nobody\""}},
      {"use: [{rate_limit: {rate: 1, by: {header: a b}}}]", {"gw:1:20: use[0].rate_limit: \"a b\" is not a header name"}},
      {"use: [{rate_limit: {rate: 1, by: {}}}]", {"gw:1:34: use[0].rate_limit.by: header is missing"}},
      {"use: [{rate_limit: {rate: 1, by: consumer}}]", {}},
      {"use: [ip_filter]", {"gw:1:7: use[0]: ip_filter has nobody to allow or deny"}},
      {"use: [{ip_filter: {allow: [10.0.0.1/8], deny: x}}]",
       {"gw:1:28: use[0].ip_filter.allow[0]: \"10.0.0.1/8\" has bits behind its prefix: write 10.0.0.0/8",
        "gw:1:47: use[0].ip_filter.deny: \"x\" is no network: write an IP address, or one with the length of a prefix, such as 10.0.0.0/8"}},
      {"use: [mine, {acess_log: {}}]",
       {"gw:1:13: use[1]: stage \"acess_log\" is not built in and takes no options (did you mean \"access_log\"?)"}},
      {"use: [{a: 1, b: 2}]", {"gw:1:7: use[0]: expected the name of a stage, or one name with its options, found a map"}},
      {"use: [{access_log: {format: xml}}]", {"gw:1:29: use[0].access_log.format: expected combined or json, found \"xml\""}},
      {"use: [{access_log: {fil: x}}]", {"gw:1:21: use[0].access_log: unknown key \"fil\" (did you mean \"file\"?)"}},
      {"use: [{headers: {request: {set: [x]}}}]",
       {"gw:1:33: use[0].headers.request.set: expected a map of header names and values, found a list"}},
      {"use: [{headers: {request: {set: {x: [a]}}}}]", {"gw:1:37: use[0].headers.request.set.x: expected text, found a list"}},
      // Upstreams.
      {"upstreams: []", {"gw:1:12: upstreams: expected a map of upstream names and their endpoints, found a list"}},
      {"upstreams: {u: }", {"gw:1:13: upstreams.u: expected a list of endpoints, found nothing"}},
      {"upstreams: {u: []}", {"gw:1:16: upstreams.u: the list is empty"}},
      {"upstreams: {u: {balance: p2c}}", {"gw:1:13: upstreams.u: an upstream needs an endpoint"}},
      {"upstreams: {u: {balance: p2d, endpoints: h}}",
       {"gw:1:26: upstreams.u.balance: expected p2c, round_robin, least_requests, random or maglev, found \"p2d\" (did you mean \"p2c\"?)"}},
      {"upstreams: {u: {endpoints: [{weight: 2}]}}", {"gw:1:29: upstreams.u.endpoints[0]: address is missing"}},
      {"upstreams: {u: {endpoints: [{address: h, weight: 0}]}}",
       {"gw:1:13: upstreams.u.endpoints: every endpoint has weight 0: none would get a request"}},
      {"upstreams: {u: {endpoints: [{address: h, weight: 65536}]}}",
       {"gw:1:50: upstreams.u.endpoints[0].weight: expected a whole number from 0 to 65535, found \"65536\""}},
      {"upstreams: {u: \"https://h\"}", {"gw:1:16: upstreams.u: https:// is not built yet in gw 0.1"}},
      {"upstreams: {u: \"http://h/x\"}", {"gw:1:16: upstreams.u: \"http://h/x\": an endpoint has no path, use base_path of the upstream"}},
      {"upstreams: {u: {endpoints: h, base_path: v1}}",
       {"gw:1:42: upstreams.u.base_path: \"v1\" is no base path: it begins with / and has no query"}},
      {"upstreams: {u: {endpoints: h, tls: {}}}", {"gw:1:31: upstreams.u: \"tls\" is not built yet in gw 0.1"}},
      {"upstreams: {u: {endpoints: h, pot: 1}}", {"gw:1:31: upstreams.u: unknown key \"pot\"; known are \"endpoints\", \"balance\", \"hash\", \"sticky\", "
       "\"slow_start\", \"timeouts\", \"health\", \"retries\", \"base_path\", \"idle_connections\", \"connections\", \"requests\", \"queue\", "
       "\"breaker\", \"fallback\""}},
      {"upstreams: {\"a b\": {endpoints: h, connections: 0}}",
       {"gw:1:48: upstreams[\"a b\"].connections: expected a whole number from 1 to 1000000, found \"0\""}},
      {"upstreams: {\"\": h}", {"gw:1:13: upstreams[\"\"]: a name must not be empty"}},
      // Routes.
      {"routes: {prefix: /}", {"gw:1:9: routes: expected a list of routes, found a map"}},
      {"routes: [x]", {"gw:1:10: routes[0]: expected a map of keys and values, found \"x\""}},
      {route + "{prefix: /a}", {"gw:3:3: routes[0]: a route needs something to do: " + actions}},
      {route + "{forward: u}", {"gw:3:3: routes[0]: a route needs a path, a prefix or a regex"}},
      {route + "{path: /a, prefix: /b, forward: u}", {"gw:3:22: routes[0].prefix: a route has one of path, prefix and regex"}},
      {route + "{path: /a, handler: h, forward: u}", {"gw:3:35: routes[0].forward: a route does one thing: " + actions}},
      {route + "{prefix: /a, forward: u, timeouts: {first_byte: 0s}}",
       {"gw:3:51: routes[0].timeouts.first_byte: a duration must be above zero"}},
      {route + "{prefix: /a, forward: u, timeouts: {idle: 5s}}", {"gw:3:39: routes[0].timeouts: unknown key \"idle\"; known are \"client_body\", \"client_write\", \"connect\", "
       "\"first_byte\", \"body\", \"tunnel\""}},
      {route + "{prefix: /a, reply: 200, timeouts: {connect: 5s}}",
       {"gw:3:3: routes[0].timeouts.connect: is about an upstream, and this route does not forward"}},
      {route + "{prefix: /a, forward: u, limits: {body: 1MB}}",
       {"gw:3:43: routes[0].limits.body: expected a size such as 16KiB: a whole number of bytes, or one with B, KiB, MiB or GiB, found "
        "\"1MB\""}},
      {route + "{prefix: /a, forward: u, limits: {head: 1KiB}}", {"gw:3:37: routes[0].limits: unknown key \"head\"; known are \"body\", \"body_rate\", \"write_rate\""}},
      {route + "{prefix: /a, forward: u, use: [body_limit]}", {"gw:3:34: routes[0].use[0]: body_limit needs a size, as in body_limit: 1MiB"}},
      {route + "{prefix: /a, forward: u, use: [{body_limit: {}}]}", {"gw:3:47: routes[0].use[0].body_limit: size is missing"}},
      {route + "{path: \"/a/{id}\", redirect: \"/b/{idd}\"}",
       {"gw:3:31: routes[0].redirect: \"/b/{idd}\" has \"{idd}\", which stands for nothing; here are {id}, {path}"}},
      {route + "{prefix: /a, redirect: {status: 308}}", {"gw:3:26: routes[0].redirect: to is missing"}},
      {route + "{prefix: /a, redirect: {to: /b, status: 304}}",
       {"gw:3:26: routes[0].redirect.status: a redirect has the status 301, 302, 303, 307 or 308, not 304"}},
      {route + "{prefix: /a, redirect: /b, strip_prefix: true}",
       {"gw:3:3: routes[0].strip_prefix: changes what is forwarded, and this route does not forward"}},
      {route + "{prefix: /a, redirect: /b, rewrite: /c}",
       {"gw:3:3: routes[0].rewrite: changes what is forwarded, and this route does not forward"}},
      {route + "{prefix: /a, forward: u, rewrite: c}", {"gw:3:37: routes[0].rewrite: \"c\" must start with \"/\""}},
      {route + "{path: /a, forward: u, rewrite: \"/b{rest}\"}",
       {"gw:3:35: routes[0].rewrite: \"/b{rest}\" has \"{rest}\", which stands for nothing; here are {path}"}},
      {route + "{prefix: /a, reply: {status: 99}}", {"gw:3:32: routes[0].reply.status: expected a whole number from 200 to 599, found \"99\""}},
      {route + "{prefix: /a, reply: 100}", {"gw:3:23: routes[0].reply: expected a whole number from 200 to 599, found \"100\""}},
      {route + "{prefix: /a, reply: {text: a, json: {}}}", {"gw:3:39: routes[0].reply.json: a reply has either text or json"}},
      {route + "{prefix: /a, reply: {status: 204, text: a}}", {"gw:3:23: routes[0].reply: a response with status 204 has no content"}},
      {route + "{prefix: /a, reply: {headers: {\"a b\": c}}}", {"gw:3:23: routes[0].reply.headers[\"a b\"]: \"a b\" is no header name"}},
      {route + "{prefix: /a, reply: {headers: {connection: close}}}",
       {"gw:3:23: routes[0].reply.headers.connection: connection belongs to gw: it frames the message or is about one connection"}},
      {route + "{prefix: /a, reply: ok, forward: u}", {"gw:3:36: routes[0].forward: a route does one thing: " + actions}},
      {route + "{prefix: /a, forward: \"https://h\"}", {"gw:3:25: routes[0].forward: https:// is not built yet in gw 0.1"}},
      {route + "{prefix: /a, forward: \"ftp://h\"}",
       {"gw:3:25: routes[0].forward: \"ftp://h\" is no URL of an upstream: write http://HOST, http://HOST:PORT or http://HOST:PORT/BASE"}},
      {route + "{prefix: /a, forward: \"10.0.0.1:80\"}",
       {"gw:3:25: routes[0].forward: no upstream is named \"10.0.0.1:80\"; an address has http:// before it"}},
      {route + "{prefix: /a, forward: }", {"gw:3:16: routes[0].forward: expected text, found nothing"}},
      {route + "{prefix: /a, forward: \"\"}", {"gw:3:25: routes[0].forward: expected text, found an empty text"}},
      {route + "path: {id}\n  forward: u",
       {"gw:3:9: routes[0].path: expected text, found a map: text that begins with { must be quoted, as in \"{id}\""}},
      {route + "path: /users/{id}\n  forward: u", {}},
      {route + "{path: /users/{id}, forward: u}",
       {"gw:3:17: expected \",\" or \"}\"; text with { } [ ] or , must be quoted inside { }, as in {path: \"/users/{id}\"}"}},
      {route + "{prefix: /a, forward: u, strip_prefix: yes}", {"gw:3:42: routes[0].strip_prefix: expected true or false, found \"yes\""}},
      {route + "{path: /a, forward: u, strip_prefix: true}",
       {"gw:3:3: routes[0].strip_prefix: removes a prefix, and this route has a path"}},
      {route + "{prefix: /a, handler: h, preserve_host: true}",
       {"gw:3:3: routes[0].preserve_host: changes what is forwarded, and this route does not forward"}},
      {route + "{prefix: /a, forward: u, methods: []}", {"gw:3:37: routes[0].methods: the list is empty"}},
      {route + "{prefix: /a, forward: u, headers: {\"a b\": x}}", {"gw:3:45: routes[0].headers[\"a b\"]: \"a b\" is no header name"}},
      {route + "{name: x, prefix: /a, forward: u}\n- {name: x, prefix: /b, forward: u}",
       {"gw:4:10: routes[1].name: the name \"x\" is taken by routes[0]"}},
      // A mistake is said once: what follows from it is not.
      {route + "{prefix: /a, forwrd: u}", {"gw:3:16: routes[0]: unknown key \"forwrd\" (did you mean \"forward\"?)"}},
      {"upstream: {u: h}\nroutes: [{prefix: /, forward: u}]", {"gw:1:1: unknown key \"upstream\" (did you mean \"upstreams\"?)"}},
      {"upstreams: 5\nroutes: [{prefix: /, forward: u}]",
       {"gw:1:12: upstreams: expected a map of upstream names and their endpoints, found \"5\""}},
      {"upstreams: {u: {endpoints: [\"h:0\"]}}\nroutes: [{prefix: /, forward: u}]",
       {"gw:1:29: upstreams.u.endpoints[0]: \"h:0\" is no address: write HOST, HOST:PORT, [IPv6]:PORT, srv:NAME or unix:/PATH, with a port from 1 to 65535"}},
      {"timeout: {drian: 1}",
       {"gw:1:1: unknown key \"timeout\" (did you mean \"timeouts\"?)",
        "gw:1:11: timeouts: unknown key \"drian\" (did you mean \"drain\"?)",
        "gw:1:18: timeouts.drain: \"1\" has no unit: write 1s or 1ms"}},
      {upstream + "routes: [{prefix: /a, forward: u}, {prefix: /b, forward: U}]",
       {"gw:2:58: routes[1].forward: no upstream is named \"U\" (did you mean \"u\"?)"}},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    CHECK(join(read(c.text).problems) == join(c.problems));
  }
}

TEST_CASE("config: the example that the documentation begins with is right") {
  std::ifstream file(std::string(GW_SOURCE_DIR) + "/docs/configuration.md", std::ios::binary);
  std::ostringstream page;
  page << file.rdbuf();
  const std::string text = page.str();
  const std::size_t begin = text.find("```yaml\n") + 8;
  const auto outcome = read(text.substr(begin, text.find("```", begin) - begin));
  CHECK(join(outcome.problems) == "");
  CHECK(outcome.config.routes.size() == 4);
}

TEST_CASE("config: the file of an access log reaches the stage") {
  std::vector<std::string> opened;
  gw::Problems problems;
  gw::config::parse("use: [access_log, {access_log: {file: \"/tmp/${PORT}.log\"}}]", gw::Notation::yaml, "gw", problems, world(&opened));
  CHECK(opened == Lines{"", "/tmp/8080.log"});
  CHECK(join(lines(problems)) == join(Lines{}));
}

TEST_CASE("config: what a built-in stage refuses has the place of its options") {
  gw::config::World w = world();
  w.open_access_log = [](gw::AccessLogOptions options) -> gw::Stage { throw gw::ConfigError(options.file + ": no such directory"); };
  gw::Problems problems;
  const auto config = gw::config::parse("use:\n- request_id\n- access_log: {file: /x}\n", gw::Notation::yaml, "gw", problems, w);
  CHECK(join(lines(problems)) == join(Lines{"gw:3:15: use[1].access_log: /x: no such directory"}));
  CHECK(config.use.size() == 1);

  const auto headers = read("use: [{headers: {request: {set: {\"a b\": x}}}}]").problems;
  REQUIRE(headers.size() == 1);
  CHECK(headers[0].rfind("gw:1:17: use[0].headers: ", 0) == 0);
}

TEST_CASE("config: a file is read by its name, and its mistakes are thrown together") {
  const auto directory = std::filesystem::temp_directory_path() /
                         ("gw_config_test." + std::to_string(std::filesystem::file_time_type::clock::now().time_since_epoch().count()));
  std::filesystem::create_directory(directory);
  const auto write = [&](const std::string& name, const std::string& text) {
    std::ofstream(directory / name, std::ios::binary) << text;
    return (directory / name).string();
  };
  const auto mistakes = [](const std::string& path) -> std::string {
    try {
      gw::load_config(path);
      return "";
    } catch (const gw::ConfigError& e) {
      return e.what();
    }
  };
  CHECK(gw::load_config(write("a.yaml", "workers: 2")).workers == 2);
  CHECK(gw::load_config(write("a.JSON", "{\"workers\": 3}")).workers == 3);
  const std::string bad = write("b.yaml", "workers: x\nlistn: ':1'\n");
  CHECK(mistakes(bad) == bad + ":1:10: workers: expected a whole number from 0 to 1024, found \"x\"\n" + bad +
                             ":2:1: unknown key \"listn\" (did you mean \"listen\"?)");
  const std::string missing = (directory / "missing.yaml").string();
  CHECK(mistakes(missing) == missing + ": cannot be opened: No such file or directory");
  CHECK(mistakes(directory.string()) == directory.string() + ": cannot be read: Is a directory");
  const std::string large = write("large.yaml", "");
  std::filesystem::resize_file(large, 64 * 1024 * 1024 + 1);
  CHECK(mistakes(large) == large + ": a configuration has at most 64MiB");
  std::filesystem::remove_all(directory);
}
