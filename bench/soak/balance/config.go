package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// plan is what changes of a configuration.
type plan struct {
	upstreams []string // as items of YAML
	policy    string
	hedge     int // percentile
	retries   int

	// What connections are made with: those there are have to end for it.
	listen, admin     string // as items of YAML; listen is a further address, or ""
	threads           int
	connections, idle int
	head, keepAlive   string // of the timeouts
	trusted           string
}

// fixed is what does not change. Its waits, and those of all plans, are short, so
// that there is no need to wait for long until all is gone.
const fixed = `health: {interval: 200ms, timeout: 300ms, path: /health, rise: 1, fall: 2, slow-start: 500ms}
ejection: {for: 500ms, longest: 1s}
breaker: {open: 1s}
upstream-tls: {insecure: true}
watch: 100ms
`

// text is the file of a plan.
func (c *cast) text(p plan) string {
	listen := fmt.Sprintf("%s, {address: %q, tls: {certificate: %s, key: %s}}", c.plain, c.secure, c.pem("certificate"), c.pem("key"))
	if p.listen != "" {
		listen += ", " + p.listen
	}
	return fmt.Sprintf("listen: [%s]\nadmin: %s\n%supstreams: [%s]\npolicy: %s\nhedging: {percentile: %d}\nretries: {most: %d}\n",
		listen, p.admin, fixed, strings.Join(p.upstreams, ", "), p.policy, p.hedge, p.retries) +
		fmt.Sprintf("threads: %d\nlimits: {connections: %d, idle: %d}\ntrusted-proxies: [%s]\n", p.threads, p.connections, p.idle, p.trusted) +
		fmt.Sprintf("timeouts: {head: %s, body: 2s, connect: 500ms, first-byte: 1s, answer: 2s, keep-alive: %s, idle: 1s, write: 2s, tunnel: 2s, request: 15s, drain: 15s, field: X-Wait}\n", p.head, p.keepAlive)
}

// usual is a plan without upstreams. It has as many threads as any, as an address
// keeps the sockets of those it had.
func (c *cast) usual() plan {
	return plan{policy: "peak-ewma", retries: 2, admin: c.manage, threads: 4, connections: 10_000, idle: 256, head: "2s", keepAlive: "3s"}
}

// shortestWait is the least that a plan gives a client for its request.
const shortestWait = time.Second

// vary changes some of what connections are made with.
func (c *cast) vary(p *plan, random *rand.Rand) {
	for range random.IntN(3) {
		switch random.IntN(8) {
		case 0:
			p.threads = 1 + random.IntN(4)
		case 1:
			p.connections = 200 + random.IntN(1000)
		case 2:
			p.idle = 1 + random.IntN(20)
		case 3:
			p.head = "1s"
		case 4:
			p.keepAlive = "1s"
		case 5:
			p.trusted = "127.0.0.0/8"
		case 6:
			p.listen = fmt.Sprintf("{address: %q, cleartext-http2: true}", c.further)
		case 7:
			p.admin = fmt.Sprintf("{address: %q, hosts: [balancer.test]}", []string{c.manage, c.manageToo}[random.IntN(2)])
		}
	}
}

// normal is the plan at the start and at the end.
func (c *cast) normal() string {
	p := c.usual()
	for _, m := range c.members {
		p.upstreams = append(p.upstreams, m.url())
	}
	return c.text(p)
}

// other is a plan of some of the upstreams, some of them over HTTP/2 or TLS.
func (c *cast) other(random *rand.Rand) string {
	names := []string{"peak-ewma", "round-robin", "weighted-round-robin", "least-connections", "random", "ring", "bounded-ring", "maglev", "rendezvous", "slot-map"}
	p := c.usual()
	p.policy, p.hedge, p.retries = names[random.IntN(len(names))], []int{0, 0, 90}[random.IntN(3)], 2+random.IntN(2)
	c.vary(&p, random)
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
		strings.Replace(c.normal(), "listen: [", "listen: ["+c.manage+", ", 1), // which is the admin API's
	}[random.IntN(8)]
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
