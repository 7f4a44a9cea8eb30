package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// plan is what changes of a configuration.
type plan struct {
	upstreams []string // as items of YAML
	policy    string
	hedge     int // percentile
	retries   int
}

// fixed is what does not change: waits that are short, so that there is no need
// to wait for long until all is gone.
const fixed = `threads: 1
health: {interval: 200ms, timeout: 300ms, path: /health, rise: 1, fall: 2, slow-start: 500ms}
ejection: {for: 500ms, longest: 1s}
breaker: {open: 1s}
timeouts: {head: 2s, body: 2s, connect: 500ms, first-byte: 1s, answer: 2s, keep-alive: 3s, idle: 1s, write: 2s, tunnel: 2s, request: 15s, field: X-Wait}
upstream-tls: {insecure: true}
watch: 100ms
`

// text is the file of a plan.
func (c *cast) text(p plan) string {
	return fmt.Sprintf("listen: [%s, {address: %q, tls: {certificate: %s, key: %s}}]\nadmin: %s\n%supstreams: [%s]\npolicy: %s\nhedging: {percentile: %d}\nretries: {most: %d}\n",
		c.plain, c.secure, c.pem("certificate"), c.pem("key"), c.manage, fixed, strings.Join(p.upstreams, ", "), p.policy, p.hedge, p.retries)
}

// normal is the plan at the start and at the end.
func (c *cast) normal() string {
	p := plan{policy: "peak-ewma", retries: 2}
	for _, m := range c.members {
		p.upstreams = append(p.upstreams, m.url())
	}
	return c.text(p)
}

// other is a plan of some of the upstreams, some of them over HTTP/2 or TLS.
func (c *cast) other(random *rand.Rand) string {
	names := []string{"peak-ewma", "round-robin", "weighted-round-robin", "least-connections", "random", "ring", "bounded-ring", "maglev", "rendezvous", "slot-map"}
	p := plan{policy: names[random.IntN(len(names))], hedge: []int{0, 0, 90}[random.IntN(3)], retries: 2 + random.IntN(2)}
	few := 2 + random.IntN(len(c.members)-1)
	special := random.IntN(2) == 0 // all are plain: the event loop; or else the front has all
	for _, i := range random.Perm(len(c.members))[:few] {
		m := c.members[i]
		weight := 1 + random.IntN(5)
		item := fmt.Sprintf("{url: %s, weight: %d}", m.url(), weight)
		if special {
			item = []string{
				item, fmt.Sprintf("{url: %s, weight: %d, http2: true}", m.url(), weight), fmt.Sprintf("{url: 'https://%s'}", m.secure),
				fmt.Sprintf("{url: 'https://%s', http2: true}", m.secure),
			}[random.IntN(4)]
		}
		p.upstreams = append(p.upstreams, item)
	}
	return c.text(p)
}

// bad is a file that is wrong.
func (c *cast) bad(random *rand.Rand) string {
	return []string{
		"upstreams: [", "polcy: ring\n" + c.normal(), "upstreams: []", "", c.normal() + "watch: 1s\n",
		strings.Replace(c.normal(), "peak-ewma", "chance", 1), strings.Replace(c.normal(), "http://", "ftp://", 1),
	}[random.IntN(7)]
}

func (c *cast) file() string { return filepath.Join(c.place, "balance.yaml") }

// write puts a file in the place of the one before at once.
func (c *cast) write(text string) error {
	next := c.file() + ".next"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(next, c.file())
}

func (c *cast) pem(name string) string { return filepath.Join(c.place, name+".pem") }

// certificate writes what the balancer shows to its clients.
func (c *cast) certificate() error {
	pair, err := ownCertificate()
	if err != nil {
		return err
	}
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return err
	}
	for name, block := range map[string]*pem.Block{"certificate": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, "key": {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(c.pem(name), pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	return nil
}
