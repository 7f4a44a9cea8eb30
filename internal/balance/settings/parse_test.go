package settings

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/balance/forward"
)

func parse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestEveryField reads a file in which every field is said, and compares some of
// each kind; none of them keeps its default.
func TestEveryField(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "every.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	c := parse(t, string(text))
	d := Default()
	d.Upstreams = []Upstream{{URL: "http://a:1"}}
	if err := d.Check(); err != nil {
		t.Fatal(err)
	}
	differ(t, "", reflect.ValueOf(*c), reflect.ValueOf(*d))
	for name, ok := range map[string]bool{
		"listen":    c.Listen[1].TLS.Key == "server.key" && c.Listen[0].ProxyProtocol[0] == netip.MustParsePrefix("10.0.0.0/8"),
		"address":   c.TrustedProxies[1] == netip.MustParsePrefix("192.0.2.7/32"),
		"upstreams": c.Upstreams[0].Weight == 3 && c.Upstreams[1].Name() == "http://10.0.0.2:8080" && c.Upstreams[1].Weight == 1,
		"numbers":   c.Upstreams[0].Number == 11 && c.Upstreams[1].Number == 2,
		"durations": c.Health.Timeout == 1500*time.Millisecond,
		"list":      reflect.DeepEqual(c.Key, []string{"cookie:session", "client"}),
		"limits":    c.RateLimits[1] == RateLimit{Name: "per-x-api-key", By: "header:X-Api-Key", Algorithm: "token-bucket", Limit: 100, Window: time.Minute},
		"discovery": c.Discovery[0].Record == RecordSRV && c.Discovery[1].Shortest == time.Second,
	} {
		if !ok {
			t.Errorf("%s was not read as written: %+v", name, c)
		}
	}
}

// differ finds fields of a struct that are the same in both.
func differ(t *testing.T, field string, a, b reflect.Value) {
	if a.Kind() == reflect.Struct {
		for i, name := range names(a.Type()) {
			if name == "" {
				t.Fatalf("field %s.%s has no name in files", field, a.Type().Field(i).Name)
			}
			differ(t, join(field, name), a.Field(i), b.Field(i))
		}
		return
	}
	if reflect.DeepEqual(a.Interface(), b.Interface()) {
		t.Errorf("%s is %v in the file of every field, as it is by default", field, a.Interface())
	}
}

// TestSmallest shows that one upstream is enough, and what is said then.
func TestSmallest(t *testing.T) {
	c := parse(t, "upstreams: http://a:1")
	want := Default()
	want.Upstreams = []Upstream{{URL: "http://a:1", Weight: 1, Number: 1}}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v, want %+v", c, want)
	}
	for _, text := range []string{"", "# nothing\n", "{}", "---\n"} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), "nobody to send requests to") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestDefaultsAreTheForwarders: no wait of the forwarders is left out.
func TestDefaultsAreTheForwarders(t *testing.T) {
	if got, want := Default().Timeouts.Forward(), forward.DefaultTimeouts(); got != want {
		t.Errorf("the defaults here are %+v, of the forwarders %+v", got, want)
	}
}

// TestRefusals: each error names the line and the field.
func TestRefusals(t *testing.T) {
	const up = "upstreams: [http://a:1]\n"
	for _, c := range []struct{ text, want string }{
		{up + "polcy: ring\n", `line 2: there is no field "polcy": did you mean policy?`},
		{up + "zzz: 1\n", `line 2: there is no field "zzz": there are listen, threads, admin,`},
		{up + "health:\n  intervall: 5s\n", `line 3: health: there is no field "intervall": did you mean interval?`},
		{up + "policy: ring\npolicy: random\n", "line 3: policy is there already, in line 2"},
		{up + "policy: best\n", `line 2: policy.name: no policy is called "best"`},
		{up + "policy: [ring]\n", "line 2: policy: it must have fields: name, decay"},
		{up + "policy: {name: slot-map, hash: md5}\n", `line 2: policy.hash: "md5": it must be one of classic, mixed`},
		{up + "admin: [a]\n", "line 2: admin: it must have fields"},
		{up + "rate-limit-keys: [1]\n", "line 2: rate-limit-keys: it must be one value"},
		{up + "key: [client, body]\n", `line 2: key[1]: the key "body"`},
		{up + "health:\n  interval: 5\n", `line 3: health.interval: "5" is no duration`},
		{up + "health: {timeout: 25h}\n", "line 2: health.timeout: 25h0m0s: it must be from 1ms to 1h0m0s"},
		{up + "health: {interval: 2h}\n", "line 2: health.interval: 2h0m0s: it must be from 100ms to 1h0m0s"},
		{up + "health: {path: well}\n", "line 2: health.path: \"well\": it must begin with /"},
		{up + "health: 5s\n", "line 2: health: it must have fields: interval, timeout"},
		{up + "retries: {most: 9}\n", "line 2: retries.most: 9: it must be from 0 to 3"},
		{up + "retries: {most: two}\n", `line 2: retries.most: "two" is no whole number here`},
		{up + "ejection: {most: -1}\n", "line 2: ejection.most: -1: it must be from 0 to 100"},
		{up + "trusted-proxies: [10.0.0.0/33]\n", `line 2: trusted-proxies[0]: "10.0.0.0/33" is no network`},
		{up + "listen: 8080\n", `line 2: listen[0].address: "8080" is no address`},
		{up + "listen: [127.0.0.1:80, 127.0.0.1:80]\n", "line 2: listen[1].address: 127.0.0.1:80 is listened on already"},
		{up + "listen:\n- address: :80\n  tls: {key: k}\n", "line 4: listen[0].tls.certificate: it is missing: certificate and key belong together"},
		{up + "listen: []\n", "line 2: listen: there are 0 addresses"},
		{up + "admin: nowhere\n", `line 2: admin.address: "nowhere" is no address`},
		{up + "access-log: csv\n", `line 2: access-log.form: "csv": it must be one of off, json, combined`},
		{up + "access-log: {every: 0}\n", "line 2: access-log.every: 0"},
		{up + "rate-limits: 100\n", `line 2: rate-limits: "100": write it as 100/1m`},
		{up + "rate-limits: 100/lightyear\n", "is no duration"},
		{up + "rate-limits: [1/1s, 2/1s]\n", "line 2: rate-limits[1].name: per-client is the name of limit 0 already"},
		{up + "rate-limits: 100/1m by nobody\n", "line 2: rate-limits[0].by: "},
		{up + "rate-limits: {limit: 0}\n", "line 2: rate-limits[0].limit: 0: it must be"},
		{up + "ejection: {slow-factor: .5}\n", "line 2: ejection.slow-factor: 0.5: it must be from 1"},
		{up + "ejection: {slow-factor: NaN}\n", `line 2: ejection.slow-factor: "NaN" is no number`},
		{up + "retries: {statuses: [503, 200]}\n", "line 2: retries.statuses[1]: 200: it must be from 400 to 599"},
		{up + "timeouts: {field: 'a b'}\n", `line 2: timeouts.field: "a b" is no name`},
		{up + "limits: {concurrency: {least: 5, most: 2}}\n", "limits.concurrency.least: 5: it must be from 1 to 2"},
		{up + "upstream-tls: {key: k}\n", "line 2: upstream-tls.certificate: it is missing"},
		{up + "discovery: [{name: app}]\n", "line 2: discovery[0].port: 0"},
		{up + "discovery: [{name: _http._tcp.app, port: 80}]\n", "SRV records have their own ports"},
		{up + "discovery: [{name: app, port: 80, servers: [dns]}]\n", `line 2: discovery[0].servers[0]: "dns"`},
		{"upstreams:\n- http://a:1\n- HTTP://A:1/\n", "line 3: upstreams[1].url: http://a:1 is upstream 0 already"},
		{"upstreams:\n- {url: http://a:1, number: 2}\n- http://b:1\n", "upstreams[1].number: 2 is the number of upstream 0"},
		{"upstreams:\n- url: http://a:1\n  weight: -2\n", "line 3: upstreams[0].weight: -2"},
		{"upstreams: [a:1]\n", `line 1: upstreams[0].url:`},
		{"upstreams: [http://a:1/path]\n", "has more than a host and a port"},
		{"upstreams: [http://a:0]\n", "has no port from 1 to 65535"},
		{"upstreams: [ftp://a:1]\n", "write http or https"},
		{"upstreams: [{url: http://a:1, proxy-protocol: v3}]\n", "it must be v1 or v2"},
		{"upstreams: [~]\n", "line 1: upstreams[0]: it is empty"},
		{"upstreams: &x [http://a:1]\n", "anchors and aliases are not understood"},
		{"upstreams: [\n", "yaml: line 1:"},
		{"\ta: b\n", "yaml: line 1: found character that cannot start any token"},
		{"a: b: c\n", "yaml: line 1: mapping values are not allowed"},
		{"threads: 1\na: b: c\n", "yaml: line 2: mapping values are not allowed"},
		{"threads: *a\n", "unknown anchor 'a' referenced: anchors and aliases are not understood"},
		{up + "---\n" + up, "there is a second document"},
		{up + strings.Repeat("#", MaxFileBytes), "more than 1048576"},
		{"- a\n", "line 1: it must have fields"},
	} {
		_, err := Parse([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80q:\n got %v\nwant %s", c.text, err, c.want)
		}
		if err != nil && polymath.CodeOf(err) != polymath.InvalidArgument {
			t.Errorf("%.80q has the code %v", c.text, polymath.CodeOf(err))
		}
	}
}

func TestTargets(t *testing.T) {
	for text, want := range map[string]string{
		"http://a":              "http://a:80",
		"https://a/":            "https://a:443",
		"http://A.Example:8080": "http://a.example:8080",
		"http://[2001:db8::1]":  "http://[2001:db8::1]:80",
		"http://10.0.0.1:1":     "http://10.0.0.1:1",
	} {
		got, err := ParseTarget(text)
		if err != nil || got.Name() != want {
			t.Errorf("%s is %s, %v, want %s", text, got.Name(), err, want)
		}
		again, err := ParseTarget(got.Name())
		if err != nil || again.Name() != want {
			t.Errorf("%s is read as %s, %v", want, again.Name(), err)
		}
	}
	for _, text := range []string{"", "a", "//a", "http:a", "http://", "http://:80", "http://a:", "http://a:65536", "http://a:-1",
		"http://u@a", "http://a?b", "http://a?", "http://a#b", "unix:///a", "http://a b", "http://a:80:80"} {
		if got, err := ParseTarget(text); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}

// FuzzParse: whatever a file holds, it is refused with a reason or read into a
// Config that passes its own check and differs from itself in nothing.
func FuzzParse(f *testing.F) {
	if text, err := os.ReadFile(filepath.Join("testdata", "every.yaml")); err == nil {
		f.Add(string(text))
	}
	for _, text := range []string{"upstreams: http://a:1", "upstreams: [", "a: &b [*b]", "upstreams: [{url: 1}]", "? a\n: b", "<<: {a: b}", "key: !!binary aGk="} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse([]byte(text))
		if err != nil {
			if err.Error() == "" || polymath.CodeOf(err) != polymath.InvalidArgument {
				t.Errorf("refused with %q of code %v", err, polymath.CodeOf(err))
			}
			return
		}
		if err := c.Check(); err != nil {
			t.Errorf("read, but: %v", err)
		}
		if d := Diff(c, c); !d.None() {
			t.Errorf("differs from itself: %+v", d)
		}
	})
}
