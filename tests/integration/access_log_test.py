"""The access log as a file: its format, that no line is lost, and rotation."""
import re

import harness

# Address, time, method, target, version, status, bytes, referer, agent.
COMBINED = re.compile(r'(\S+) - - \[(\d{2}/[A-Z][a-z]{2}/\d{4}(?::\d{2}){3} [+-]\d{4})\] '
                      r'"([A-Z]+) (\S+) (HTTP/1\.[01])" (\d{3}) (\d+) "([^"]*)" "([^"]*)"')


class AccessLog(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.log = self.directory / "access.log"
        self.backend = self.origin(lambda request, peer: peer.reply(b"x" * int(re.search(r"\d*$", request.target.split("?")[0])[0] or 2)))
        self.gw = self.in_front_of(self.backend, use=[{"access_log": {"file": str(self.log)}}])

    def lines(self, *files):
        lines = []
        for file in files or [self.log]:
            text = file.read_text()
            self.assertTrue(text == "" or text.endswith("\n"))
            lines += text.splitlines()
        return lines

    def test_every_line_is_in_the_combined_format(self):
        client = self.client(self.gw)
        client.request(target="/5?a=b", fields=[("Referer", "http://here/"), ("User-Agent", "test/1.0")])
        client.request("POST", "/70000", body=b"content")
        client.request("HEAD", "/9")
        client.request(target="/x", fields=[("User-Agent", 'a "quoted" \\ \xe9'), ("Referer", "-")])
        client.request(target="/%00")
        client.request(version="HTTP/1.0", target="/0")
        self.assertTrue(harness.eventually(lambda: len(self.lines()) == 6))
        matches = [COMBINED.fullmatch(line) for line in self.lines()]
        self.assertTrue(all(matches), self.lines())
        self.assertEqual([m.group(1, 3, 4, 5, 6) for m in matches], [
            ("127.0.0.1", "GET", "/5?a=b", "HTTP/1.1", "200"),
            ("127.0.0.1", "POST", "/70000", "HTTP/1.1", "200"),
            ("127.0.0.1", "HEAD", "/9", "HTTP/1.1", "200"),
            ("127.0.0.1", "GET", "/x", "HTTP/1.1", "200"),
            ("127.0.0.1", "GET", "/%00", "HTTP/1.1", "400"),
            ("127.0.0.1", "GET", "/0", "HTTP/1.0", "200"),
        ])
        self.assertEqual([int(m[7]) for m in matches][:4], [5, 70000, 0, 2])
        self.assertGreater(int(matches[4][7]), 0)
        self.assertEqual(matches[0].group(8, 9), ("http://here/", "test/1.0"))
        self.assertEqual(matches[3][9], r"a \x22quoted\x22 \x5C \xE9")

    def assert_one_for_each_request(self, lines):
        # A client that leaves takes its request back, which the upstream may not have read by then.
        taken_back = sum('" 499 ' in line for line in lines)
        self.assertLessEqual(len(self.backend.requests), len(lines))
        self.assertGreaterEqual(len(self.backend.requests), len(lines) - taken_back)

    def test_no_line_of_a_wrk_run_is_lost(self):
        connections = 32
        requests, bad = harness.Wrk(self.gw.port, "/5", connections, seconds=1).result()
        self.assertEqual(bad, 0)
        self.assertIsNone(self.gw.finish())
        lines = self.lines()
        self.assertTrue(all(COMBINED.fullmatch(line) for line in lines))
        self.assert_one_for_each_request(lines)
        # wrk does not count what is under way when its time is over.
        self.assertGreaterEqual(len(lines), requests)
        self.assertLessEqual(len(lines), requests + connections)

    def test_a_renamed_file_is_reopened_at_sighup_and_nothing_is_lost(self):
        connections = 32
        # Longer than four reloads take on a machine that is busy.
        wrk = harness.Wrk(self.gw.port, "/5", connections, seconds=8)
        files = [self.log]
        for n in range(4):
            self.assertTrue(wrk.is_running(0.3))
            files.append(self.directory / ("access.log.%d" % n))
            self.log.rename(files[-1])
            self.gw.reload(self.gw.config)
            self.assertTrue(harness.eventually(self.log.exists))
        requests, bad = wrk.result()
        self.assertEqual(bad, 0)
        self.assertIsNone(self.gw.finish())
        lines = self.lines(*files)
        self.assertTrue(all(COMBINED.fullmatch(line) for line in lines))
        self.assert_one_for_each_request(lines)
        self.assertGreaterEqual(len(lines), requests)
        self.assertTrue(all(file.stat().st_size > 0 for file in files))

    def test_a_file_that_cannot_be_opened_is_a_problem_of_the_configuration(self):
        broken = {**self.gw.config, "use": [{"access_log": {"file": str(self.directory / "none/access.log")}}]}
        self.gw.write(broken)
        self.gw.signal(harness.signal.SIGHUP)
        self.gw.wait_log("cannot open access log .*none/access.log.*No such file")
        self.assertEqual(self.ask(self.gw).status, 200)


if __name__ == "__main__":
    harness.main()
