package app

import (
	"crypto/tls"
	"crypto/x509"
	"sync/atomic"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/balance/settings"
)

// keypair is a certificate with its key, and the authorities of clients', in
// files that are read again when they change. Handshakes may use it at any time;
// look has one caller.
type keypair struct {
	files  []*settings.Watched // certificate, key, and the clients' authorities if there are any
	parsed atomic.Pointer[keys]
}

// keys is what was read.
type keys struct {
	pair    tls.Certificate
	clients *x509.CertPool // nil: nobody is asked for a certificate
}

// openKeypair reads the files of a listener's TLS.
func openKeypair(t *settings.TLS) (*keypair, error) {
	k := &keypair{files: []*settings.Watched{settings.Watch(t.Certificate), settings.Watch(t.Key)}}
	if t.ClientCA != "" {
		k.files = append(k.files, settings.Watch(t.ClientCA))
	}
	if err := k.read(); err != nil {
		return nil, err
	}
	return k, nil
}

// read reads all files. On an error what was read before stays.
func (k *keypair) read() error {
	texts := make([][]byte, len(k.files))
	for i, f := range k.files {
		text, err := f.Read()
		if err != nil {
			return polymath.Errorf(polymath.InvalidArgument, "TLS: %w", err)
		}
		texts[i] = text
	}
	pair, err := tls.X509KeyPair(texts[0], texts[1])
	if err != nil {
		return polymath.Errorf(polymath.InvalidArgument, "TLS: the certificate %s with the key %s: %w", k.files[0].Path(), k.files[1].Path(), err)
	}
	next := &keys{pair: pair}
	if len(texts) > len([...]string{"certificate", "key"}) {
		next.clients = x509.NewCertPool()
		if !next.clients.AppendCertsFromPEM(texts[2]) {
			return polymath.Errorf(polymath.InvalidArgument, "TLS: %s has no certificate in PEM", k.files[2].Path())
		}
	}
	k.parsed.Store(next)
	return nil
}

// look reads the files if any of them has changed, and reports whether it did.
// A certificate whose key is still to come is wrong for a moment: the key's
// change makes it right.
func (k *keypair) look() (bool, error) {
	changed := false
	for _, f := range k.files {
		text, err := f.Look()
		if err != nil {
			return false, polymath.Errorf(polymath.InvalidArgument, "TLS: %w", err)
		}
		changed = changed || text != nil
	}
	if !changed {
		return false, nil
	}
	return true, k.read()
}

// config is a TLS configuration that has what was read last.
func (k *keypair) config() *tls.Config {
	c := newTLS()
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &k.parsed.Load().pair, nil }
	if k.parsed.Load().clients == nil {
		return c
	}
	// The authorities of clients are asked for by the handshake itself, so that
	// changed ones count as well.
	c.ClientAuth = tls.RequireAnyClientCert
	c.VerifyConnection = func(s tls.ConnectionState) error {
		o := x509.VerifyOptions{Roots: k.parsed.Load().clients, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		for _, c := range s.PeerCertificates[1:] {
			o.Intermediates.AddCert(c)
		}
		_, err := s.PeerCertificates[0].Verify(o)
		return err
	}
	return c
}
