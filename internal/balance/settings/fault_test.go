package settings

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/balance/limit"
	"github.com/polymath-run/polymath/internal/balance/pick"
)

// mark stands behind the line that an error must name.
const mark = "#!"

// wrongs are values that each field cannot have, in a file that has it in its
// marked line. A field that takes any text has none.
func wrongs() map[string][]string {
	plain := func(field string, values ...string) (out []string) {
		top, name, _ := strings.Cut(field, ".")
		for _, v := range values {
			text := fmt.Sprintf("%s: %s %s", top, v, mark)
			if name != "" {
				text = fmt.Sprintf("%s:\n  %s: %s %s", top, name, v, mark)
			}
			out = append(out, text)
		}
		return out
	}
	item := func(list, first, name string, values ...string) (out []string) {
		for _, v := range values {
			out = append(out, fmt.Sprintf("%s:\n- %s\n  %s: %s %s", list, first, name, v, mark))
		}
		return out
	}
	const address, name, bucket = "address: 127.0.0.1:1", "name: a", "limit: 10"
	out := map[string][]string{
		"listen.address":           {"listen:\n- address: nowhere " + mark, "listen:\n- nowhere " + mark, "listen: nowhere " + mark, "listen:\n- 127.0.0.1:1\n- 127.0.0.1:1 " + mark},
		"listen.tls.certificate":   {"listen:\n- address: a:1\n  tls: {key: k} " + mark},
		"listen.tls.key":           {"listen:\n- address: a:1\n  tls:\n    certificate: c\n    key: '' " + mark},
		"listen.proxy-protocol":    item("listen", address, "proxy-protocol", "10.0.0.0/33", "["+strings.Repeat("10.0.0.0/8, ", MaxPrefixes+1)+"]"),
		"listen.cleartext-http2":   {"listen:\n- address: a:1\n  cleartext-http2: maybe " + mark, "listen:\n- address: a:1\n  tls: {certificate: c, key: k}\n  cleartext-http2: true " + mark},
		"threads":                  plain("threads", "-1", "257", "many"),
		"admin.address":            plain("admin.address", "nowhere", "a:99999"),
		"upstreams.url":            {"upstreams:\n- url: a:1 " + mark, "upstreams:\n- http://a:1\n- http://a:1 " + mark, "upstreams: [ftp://a:1] " + mark},
		"upstreams.weight":         item("upstreams", "url: http://a:1", "weight", "-1", "0", "1001", "1.5"),
		"upstreams.host":           item("upstreams", "url: http://a:1", "host", "'a b'", `"a\x01b"`, "a/b"),
		"upstreams.http2":          item("upstreams", "url: http://a:1", "http2", "2"),
		"upstreams.proxy-protocol": item("upstreams", "url: http://a:1", "proxy-protocol", "v3"),
		"upstreams.number":         {"upstreams:\n- url: http://a:1\n  number: -1 " + mark, "upstreams:\n- {url: http://a:1, number: 2}\n- url: http://b:1\n  number: 2 " + mark},
		"upstreams.drain":          item("upstreams", "url: http://a:1", "drain", "1"),
		"upstream-tls.certificate": {"upstream-tls:\n  key: k\n  certificate: '' " + mark},
		"upstream-tls.key":         {"upstream-tls:\n  certificate: c\n  key: '' " + mark},
		"upstream-tls.insecure":    plain("upstream-tls.insecure", "very"),
		"discovery.name":           {"discovery:\n- name: '' " + mark + "\n  port: 1", "discovery:\n- port: 1\n  name: " + strings.Repeat("a", 254) + " " + mark},
		"discovery.record":         item("discovery", name, "record", "MX"),
		"discovery.port":           append(item("discovery", name, "port", "0", "65536", "http"), item("discovery", "name: _a._tcp.b", "port", "80")...),
		"discovery.scheme":         item("discovery", name+"\n  port: 1", "scheme", "ftp"),
		"discovery.weight":         item("discovery", name+"\n  port: 1", "weight", "-1", "0", "1001"),
		"discovery.http2":          item("discovery", name+"\n  port: 1", "http2", "x"),
		"discovery.servers":        item("discovery", name+"\n  port: 1", "servers", "[dns]"),
		"discovery.shortest":       item("discovery", name+"\n  port: 1", "shortest", "0s", "1ms", "6m", "-1s"),
		"discovery.longest":        item("discovery", name+"\n  port: 1", "longest", "0s", "25h"),
		"discovery.most":           item("discovery", name+"\n  port: 1", "most", "-1", "0", "1025"),
		"policy.name":              append(plain("policy.name", "best"), plain("policy", "best")...),
		"policy.decay":             plain("policy.decay", "-1s", "25h", "5"),
		"policy.points":            plain("policy.points", "-1", fmt.Sprint(pick.MaxPoints+1)),
		"policy.bound":             plain("policy.bound", "-1", fmt.Sprint(pick.MaxBound+1)),
		"policy.hash":              plain("policy.hash", "md5"),
		"policy.probe":             plain("policy.probe", "random"),
		"key":                      append(plain("key", "body", "[client, body]", "'header:'", "[client, client, client, client, client, client, client, client, client]"), "key:\n- client\n- body "+mark),
		"health.interval":          plain("health.interval", "1ms", "2h", "-1s"),
		"health.timeout":           append(plain("health.timeout", "0s", "2h"), "health:\n  interval: 0s\n  timeout: 2h "+mark),
		"health.path":              plain("health.path", "well", "/a b", "/"+strings.Repeat("a", 2048)),
		"health.from":              append(plain("health.from", "0", "600"), "health:\n  interval: 0s\n  from: 0 "+mark),
		"health.to":                plain("health.to", "100", "600"),
		"health.rise":              append(plain("health.rise", "0", "1000001"), "health:\n  interval: 0s\n  rise: 0 "+mark),
		"health.fall":              plain("health.fall", "0", "1000001"),
		"health.slow-start":        append(plain("health.slow-start", "-1s", "2h"), "health:\n  interval: 0s\n  slow-start: 2h "+mark),
		"ejection.errors":          plain("ejection.errors", "-1", "1000001"),
		"ejection.error-percent":   plain("ejection.error-percent", "-1", "101"),
		"ejection.window":          append(plain("ejection.window", "1ms", "2h"), "ejection:\n  errors: 0\n  window: 2h "+mark),
		"ejection.server-errors":   plain("ejection.server-errors", "-1", "1000001"),
		"ejection.slow-factor":     plain("ejection.slow-factor", ".5", "-1", "1000001", "NaN"),
		"ejection.slow-least":      plain("ejection.slow-least", "-1s", "2h"),
		"ejection.for":             plain("ejection.for", "1ms", "2h"),
		"ejection.longest":         plain("ejection.longest", "1s", "2h"),
		"ejection.most":            plain("ejection.most", "-1", "101"),
		"ejection.panic":           plain("ejection.panic", "-1", "101"),
		"ejection.successes":       plain("ejection.successes", "0", "1000001"),
		"retries.most":             plain("retries.most", "-1", "4"),
		"retries.statuses":         plain("retries.statuses", "[200]", "600", "["+strings.Repeat("500, ", 17)+"]"),
		"retries.percent":          plain("retries.percent", "-1", "1000000"),
		"retries.floor":            plain("retries.floor", "-1", "100000000"),
		"hedging.percentile":       plain("hedging.percentile", "-1", "100"),
		"hedging.least":            plain("hedging.least", "-1s", "25h"),
		"hedging.percent":          plain("hedging.percent", "-1", "1000000"),
		"hedging.floor":            plain("hedging.floor", "-1", "100000000"),
		"breaker.failures":         plain("breaker.failures", "-1", "1000001"),
		"breaker.open":             plain("breaker.open", "0s", "25h"),
		"breaker.successes":        plain("breaker.successes", "0", "1000001"),
		"limits.connections":       plain("limits.connections", "0", "1000001"),
		"limits.idle":              plain("limits.idle", "0", "1000001"),
		"limits.per-upstream":      plain("limits.per-upstream", "-1", "1000001"),
		"limits.concurrency.first": {"limits:\n  concurrency:\n    first: 1 " + mark},
		"limits.concurrency.least": {"limits:\n  concurrency:\n    least: 0 " + mark},
		"limits.concurrency.most":  {"limits:\n  concurrency:\n    most: -1 " + mark, "limits:\n  concurrency:\n    most: 1000001 " + mark},
		"timeouts.request":         plain("timeouts.request", "-1s", "25h"),
		"timeouts.drain":           plain("timeouts.drain", "-1s", "25h"),
		"timeouts.field":           plain("timeouts.field", "'a b'", "Host", "connection", "X-Forwarded-For", "'a:'"),
		"trusted-proxies":          plain("trusted-proxies", "10.0.0.0/33", "["+strings.Repeat("10.0.0.0/8, ", MaxPrefixes+1)+"]"),
		"access-log.form":          append(plain("access-log.form", "csv"), plain("access-log", "csv")...),
		"access-log.every":         plain("access-log.every", "0", "1000001"),
		"rate-limits.name":         append(item("rate-limits", bucket, "name", "'A b'", strings.Repeat("a", 65)), "rate-limits:\n- 1/s\n- 1/s "+mark),
		"rate-limits.by":           item("rate-limits", bucket, "by", "nobody", "'header:'"),
		"rate-limits.algorithm":    item("rate-limits", bucket, "algorithm", "chance"),
		"rate-limits.limit":        append(item("rate-limits", "window: 1s", "limit", "0", "1000000001", "10000000"), "rate-limits: 1/lightyear "+mark),
		"rate-limits.window":       append(item("rate-limits", bucket, "window", "0s", "1us", "25h", "1"), "rate-limits: 100/0s "+mark),
		"rate-limits.burst":        append(item("rate-limits", bucket, "burst", "-1", "0", "1000000001"), item("rate-limits", "algorithm: sliding-window\n  limit: 1", "burst", "2")...),
		"rate-limit-keys":          plain("rate-limit-keys", "0", fmt.Sprint(limit.MaxKeys+1)),
		"watch":                    plain("watch", "-1s", "1ms", "25h"),
	}
	for _, wait := range []string{"head", "body", "connect", "first-byte", "answer", "keep-alive", "idle", "write", "tunnel"} {
		out["timeouts."+wait] = plain("timeouts."+wait, "0s", "-1s", "25h", "5")
	}
	return out
}

// leaves are the fields of a type that are no structs, by their names without the
// indexes of lists.
func leaves(field string, t reflect.Type) (out []string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t.PkgPath() == "net/netip" {
		return []string{field}
	}
	for f := range t.Fields() {
		out = append(out, leaves(join(field, f.Tag.Get("yaml")), f.Type)...)
	}
	return out
}

// without takes the indexes out of a field's name.
func without(text string) string {
	for {
		from := strings.IndexByte(text, '[')
		to := strings.IndexByte(text, ']')
		if from < 0 || to < from {
			return text
		}
		text = text[:from] + text[to+1:]
	}
}

// anyText are fields that take whatever text they are given: names of files and
// of hosts. What is wrong with a file is found when it is opened.
func anyText() []string {
	return []string{
		"listen.tls.client-ca", "admin.hosts", "upstream-tls.ca", "upstream-tls.server-name", "access-log.output",
	}
}

// TestEveryFaultHasItsPlace: whatever is wrong with whichever field, the error
// names its line and the field, at the start and however it is written.
func TestEveryFaultHasItsPlace(t *testing.T) {
	all := wrongs()
	for _, field := range anyText() {
		all[field] = nil
	}
	for _, field := range leaves("", reflect.TypeFor[Config]()) {
		files, known := all[field]
		if !known {
			t.Errorf("no file is wrong about %s", field)
		}
		delete(all, field)
		for _, file := range files {
			if !strings.Contains(file, "upstreams:") {
				file += "\nupstreams: [http://z:1]"
			}
			holds(t, field, file)
		}
		top, _, _ := strings.Cut(field, ".")
		holds(t, top, fmt.Sprintf("watch: 1s\n%s: {nothing: 1} %s\nupstreams: [http://z:1]", top, mark))
	}
	for field := range all {
		t.Errorf("there is no field %s", field)
	}
}

// before is what a text has before a mark.
func before(text, mark string) string {
	text, _, _ = strings.Cut(text, mark)
	return text
}

// holds finds out whether an error names a field and the marked line.
func holds(t *testing.T, field, file string) {
	t.Helper()
	line := strings.Count(before(file, mark), "\n") + 1
	_, err := Parse([]byte(file))
	if err == nil {
		t.Errorf("%s: it is taken:\n%.200s", field, file)
		return
	}
	text, ok := strings.CutPrefix(err.Error(), fmt.Sprintf("line %d: ", line))
	if !ok || !strings.HasPrefix(without(text), field) && !strings.HasPrefix(field, before(without(text), ":")) {
		t.Errorf("%s: %v, want line %d:\n%.200s", field, err, line, file)
	}
}

// TestAboveHasNoLine: what something above the file says wrong is not blamed on a
// line of the file, and everything else is.
func TestAboveHasNoLine(t *testing.T) {
	const file = "policy: ring\nupstreams: [http://a:1]\nretries:\n  most: 9\n  floor: 1\n"
	_, err := ParseOver([]byte(file), func(c *Config) error { c.Retries.Most = 8; return nil })
	if err == nil || err.Error() != "retries.most: 8: it must be from 0 to 3" || !IsAbove(err) {
		t.Errorf("%v", err)
	}
	_, err = ParseOver([]byte(file), func(c *Config) error { c.Retries.Floor = 8; return nil })
	if err == nil || !strings.HasPrefix(err.Error(), "line 4: retries.most: 9") || IsAbove(err) {
		t.Errorf("%v", err)
	}
	_, err = ParseOver([]byte(file), func(*Config) error { return polymath.Errorf(polymath.InvalidArgument, "a flag is wrong") })
	if polymath.CodeOf(err) != polymath.InvalidArgument || err.Error() != "a flag is wrong" || !IsAbove(err) {
		t.Errorf("%v", err)
	}
	_, err = ParseOver([]byte("policy: ring\nupstreams: [http://a:1]\n"), func(c *Config) error { c.Policy = Policy{Name: "best"}; return nil })
	if err == nil || !strings.HasPrefix(err.Error(), "policy.name:") {
		t.Errorf("%v", err)
	}
	r, err := ParseOver([]byte("listen:\n- a:1\n- b:1\nupstreams: [http://a:1]\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Explain(Wrong("listen[1].address", errors.New("in use"))); got.Error() != "line 3: listen[1].address: in use" {
		t.Errorf("%v", got)
	}
}
