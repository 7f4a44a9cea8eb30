package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"
	"time"

	"github.com/polymath-run/polymath/bench/process"
)

// The proxies.
const (
	ours    = "polymath"
	nginx   = "nginx"
	haproxy = "haproxy"
)

// proxy is one of those that are compared.
type proxy struct {
	name    string
	config  *template.Template
	suffix  string // of the configuration's file
	command func(file string) []string
	about   []string // the command that prints its version
	secure  bool
	place   string

	port    int
	text    string // the configuration
	process *process.Process
}

// proxies are those of a scenario.
func (c *contest) proxies(secure bool) []*proxy {
	all := []*proxy{
		{
			name: ours, config: oursConfig, suffix: ".yaml", about: c.program.Command(context.Background(), "version").Args,
			command: func(file string) []string {
				return c.program.Command(context.Background(), "balance", "--config", file).Args
			},
		},
		{
			name: nginx, config: nginxConfig, suffix: ".conf", about: []string{"nginx", "-v"},
			command: func(file string) []string { return []string{"nginx", "-e", "stderr", "-c", file} },
		},
	}
	if !secure {
		all = append(all, &proxy{
			name: haproxy, config: haproxyConfig, suffix: ".cfg", about: []string{"haproxy", "-v"},
			command: func(file string) []string { return []string{"haproxy", "-db", "-f", file} },
		})
	}
	for _, p := range all {
		p.secure, p.place = secure, c.place
	}
	return all
}

// facts are what the configurations are made of.
type facts struct {
	Port, Admin      int
	Upstreams        []int
	Place            string
	Certificate, Key string // "": no TLS
}

// start starts the proxy on its core before some upstreams.
func (p *proxy) start(ctx context.Context, upstreams []int) (err error) {
	f := facts{Upstreams: upstreams, Place: p.place}
	if f.Port, err = freePort(); err != nil {
		return err
	}
	if f.Admin, err = freePort(); err != nil {
		return err
	}
	if p.secure {
		if f.Certificate, f.Key, err = certificate(p.place); err != nil {
			return err
		}
	}
	var text bytes.Buffer
	if err := p.config.Execute(&text, f); err != nil {
		return err
	}
	p.port, p.text = f.Port, text.String()
	file := filepath.Join(p.place, p.name+p.suffix)
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		return err
	}
	if p.process, err = process.Start(pinned(ctx, proxyCore, p.command(file)...)); err != nil {
		return err
	}
	return p.process.Ready(ctx, answers(p.port, p.secure))
}

// version is what it says of itself, in one line.
func (p *proxy) version(ctx context.Context) string {
	said, err := exec.CommandContext(ctx, p.about[0], p.about[1:]...).CombinedOutput()
	if err != nil {
		return p.name
	}
	line, _, _ := bytes.Cut(said, []byte("\n"))
	return string(line)
}

// answers is whether a GET to a port is answered with 200.
func answers(port int, secure bool) func(context.Context) error {
	scheme := "http"
	if secure {
		scheme = "https"
	}
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // a certificate of our own, made for this
	}}
	return func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s://127.0.0.1:%d/", scheme, port), http.NoBody)
		if err != nil {
			return err
		}
		answer, err := client.Do(r)
		if err != nil {
			return err
		}
		if err := answer.Body.Close(); err != nil {
			return err
		}
		if answer.StatusCode != http.StatusOK {
			return errors.New(answer.Status)
		}
		return nil
	}
}

// freePort is a port that nobody listened on a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close() //nolint:forcetypeassert // of a TCP listener
}

// certificate makes a certificate of P-256, and the files it lies in.
func certificate(place string) (certFile, keyFile string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	c := x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	made, err := x509.CreateCertificate(rand.Reader, &c, &c, key.Public(), key)
	if err != nil {
		return "", "", err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", "", err
	}
	certFile, keyFile = filepath.Join(place, "cert.pem"), filepath.Join(place, "key.pem")
	return certFile, keyFile, errors.Join(
		os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made}), 0o600),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
}
