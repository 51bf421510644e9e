"""The two Flask services of examples/foobar, and nginx, behind gw."""
import http.client
import sys
import unittest

import harness

NGINX = """
daemon off;
master_process off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 256; }}
http {{
  access_log off;
  keepalive_timeout 60;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  gzip on;
  gzip_types text/plain;
  gzip_proxied any;
  server {{
    listen 127.0.0.1:{port};
    root {directory}/www;
    location = /host {{ return 200 $http_host; }}
  }}
}}
"""


class Article(harness.TestCase):
    def setUp(self):
        super().setUp()
        ports = {}
        for name in ("foo", "bar"):
            ports[name] = harness.free_port()
            self.process([sys.executable, str(harness.ROOT / "examples/foobar" / (name + ".py"))], {"PORT": str(ports[name])})
        for port in ports.values():
            self.assertTrue(harness.eventually(lambda: harness.accepts(port), 30))
        routes = [{"prefix": "/" + name, "forward": "http://127.0.0.1:%d" % port} for name, port in ports.items()]
        self.gw = self.gateway({"routes": routes})

    def test_curl_gets_the_answers_of_both_services(self):
        base = "http://127.0.0.1:%d" % self.gw.port
        self.assertEqual(self.curl(base + "/foo"), b'{"msg":"Hello from the foo microservice"}')
        self.assertEqual(self.curl(base + "/bar"), b'{"msg":"Hello from the bar microservice"}')

    def test_one_client_connection_reaches_both_services(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.gw.port, timeout=10)
        self.addCleanup(connection.close)
        for name in ("foo", "bar", "foo"):
            connection.request("GET", "/" + name)
            response = connection.getresponse()
            self.assertEqual((response.status, response.read()), (200, b'{"msg":"Hello from the %s microservice"}' % name.encode()))

    def test_what_is_no_route_is_answered_as_in_the_article(self):
        for target in ("/", "/foobar", "/fo", "/baz?x=/foo"):
            with self.subTest(target):
                response = self.ask(self.gw, target=target)
                self.assertEqual((response.status, response.body), (404, harness.NO_ROUTE))
                self.assertEqual(response.get("content-type"), "application/json")
        status_and_body = self.curl("-w", "%{http_code} %{content_type}", "http://127.0.0.1:%d/foobar" % self.gw.port)
        self.assertEqual(status_and_body, harness.NO_ROUTE + b"404 application/json")

    def test_what_is_below_a_prefix_is_the_service_s_to_refuse(self):
        response = self.ask(self.gw, target="/foo/x")
        self.assertEqual(response.status, 404)
        self.assertIn("text/html", response.get("content-type"))


class Nginx(harness.TestCase):
    def setUp(self):
        super().setUp()
        nginx = harness.need("nginx")
        port = harness.free_port()
        self.address = "127.0.0.1:%d" % port
        (self.directory / "www").mkdir()
        # nginx's worker may run as another user.
        self.directory.chmod(0o755)
        self.content = b"".join(b"line %d\n" % i for i in range(20000))
        (self.directory / "www/lines.txt").write_bytes(self.content)
        (self.directory / "nginx.conf").write_text(NGINX.format(directory=self.directory, port=port))
        self.process([nginx, "-p", str(self.directory), "-c", str(self.directory / "nginx.conf"), "-e", "stderr"])
        self.assertTrue(harness.eventually(lambda: harness.accepts(port), 30))
        self.gw = self.gateway({"routes": [{"prefix": "/", "forward": "http://" + self.address}]})

    def test_a_file_arrives_whole_with_its_validators(self):
        response = self.ask(self.gw, target="/lines.txt")
        self.assertEqual((response.status, response.body), (200, self.content))
        self.assertEqual(response.get("content-length"), str(len(self.content)))
        again = self.ask(self.gw, target="/lines.txt", fields=[("If-None-Match", response.get("etag"))])
        self.assertEqual((again.status, again.body), (304, b""))

    def test_a_range_and_a_head_of_a_file_are_passed_on(self):
        part = self.ask(self.gw, target="/lines.txt", fields=[("Range", "bytes=5-9")])
        self.assertEqual((part.status, part.body), (206, self.content[5:10]))
        head = self.ask(self.gw, "HEAD", "/lines.txt")
        self.assertEqual((head.status, head.get("content-length"), head.body), (200, str(len(self.content)), b""))

    def test_a_compressed_response_of_unknown_length_is_chunked(self):
        base = "http://127.0.0.1:%d/lines.txt" % self.gw.port
        self.assertEqual(self.curl("--compressed", base), self.content)
        response = self.ask(self.gw, target="/lines.txt", fields=[("Accept-Encoding", "gzip")])
        self.assertEqual(response.get("content-encoding"), "gzip")
        self.assertEqual(response.get("transfer-encoding"), "chunked")

    def test_wrk_gets_nothing_but_good_answers(self):
        requests, bad = harness.Wrk(self.gw.port, "/host", seconds=1).result()
        self.assertGreater(requests, 0)
        self.assertEqual(bad, 0)
        self.assertEqual(self.ask(self.gw, target="/host").body, self.address.encode())


if __name__ == "__main__":
    harness.main()
