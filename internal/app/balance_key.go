package app

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"sync/atomic"

	"github.com/polymath-run/polymath/internal/balance/settings"
)

// The files of a keypair.
const (
	certificateFile = iota
	keyFile
	authorityFile
	keyFiles
)

// keypair is what one side of TLS is spoken with: a certificate with its key, and
// the authorities of the other side's. They are in files that are read again when
// they change. Handshakes may use it at any time; look has one caller.
type keypair struct {
	files  [keyFiles]*settings.Watched // nil: there is none
	fields [keyFiles]string            // that name them
	parsed atomic.Pointer[keys]
}

// keys is what was read.
type keys struct {
	pair        *tls.Certificate // nil: none is shown
	authorities *x509.CertPool   // nil: a listener asks nobody; an upstream is believed on the system's
}

// openKeypair reads the files of a listener's TLS, which a field names.
func openKeypair(t *settings.TLS, field string) (*keypair, error) {
	return readKeypair([keyFiles]string{t.Certificate, t.Key, t.ClientCA}, [keyFiles]string{field + ".certificate", field + ".key", field + ".client-ca"})
}

// openTrust reads the files of how upstreams are spoken TLS with.
func openTrust(t *settings.UpstreamTLS) (*keypair, error) {
	return readKeypair([keyFiles]string{t.Certificate, t.Key, t.CA}, [keyFiles]string{"upstream-tls.certificate", "upstream-tls.key", "upstream-tls.ca"})
}

// readKeypair reads files for the first time; "" is none.
func readKeypair(paths, fields [keyFiles]string) (*keypair, error) {
	k := &keypair{fields: fields}
	for i, path := range paths {
		if path != "" {
			k.files[i] = settings.Watch(path)
		}
	}
	if err := k.read(); err != nil {
		return nil, err
	}
	return k, nil
}

// read reads all files. On an error what was read before stays.
func (k *keypair) read() error {
	var texts [keyFiles][]byte
	for i, f := range k.files {
		if f == nil {
			continue
		}
		text, err := f.Read()
		if err != nil {
			return settings.Wrong(k.fields[i], err)
		}
		texts[i] = text
	}
	next := new(keys)
	if own := k.files[certificateFile]; own != nil {
		pair, err := tls.X509KeyPair(texts[certificateFile], texts[keyFile])
		if err != nil {
			return settings.Wrong(k.fields[certificateFile], fmt.Errorf("the certificate %s with the key %s: %w", own.Path(), k.files[keyFile].Path(), err))
		}
		next.pair = &pair
	}
	if f := k.files[authorityFile]; f != nil {
		next.authorities = x509.NewCertPool()
		if !next.authorities.AppendCertsFromPEM(texts[authorityFile]) {
			return settings.Wrong(k.fields[authorityFile], fmt.Errorf("%s has no certificate in PEM", f.Path()))
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
	for i, f := range k.files {
		if f == nil {
			continue
		}
		text, err := f.Look()
		if err != nil {
			return false, settings.Wrong(k.fields[i], err)
		}
		changed = changed || text != nil
	}
	if !changed {
		return false, nil
	}
	return true, k.read()
}

// reread reads the files whether they have changed or not.
func (k *keypair) reread() (bool, error) { return true, k.read() }

// server is a listener's TLS, with what was read last.
func (k *keypair) server() *tls.Config {
	c := newTLS()
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return k.parsed.Load().pair, nil }
	if k.files[authorityFile] == nil {
		return c
	}
	// The authorities of clients are asked for by the handshake itself, so that
	// changed ones count as well.
	c.ClientAuth = tls.RequireAnyClientCert
	c.VerifyConnection = func(s tls.ConnectionState) error { return k.verify(&s, "", x509.ExtKeyUsageClientAuth) }
	return c
}

// client is how an upstream of a name is spoken TLS with, with what was read
// last. It stays the same when files change: an upstream is not another one then,
// and keeps its connections.
func (k *keypair) client(name string, insecure bool) *tls.Config {
	c := newTLS()
	c.ServerName = name
	c.InsecureSkipVerify = true //nolint:gosec // VerifyConnection verifies, by the authorities of the moment
	if !insecure {
		c.VerifyConnection = func(s tls.ConnectionState) error { return k.verify(&s, name, x509.ExtKeyUsageServerAuth) }
	}
	if k.files[certificateFile] != nil {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return k.parsed.Load().pair, nil }
	}
	return c
}

// verify holds the other side's certificates to the authorities and, where it is
// not "", to a name.
func (k *keypair) verify(s *tls.ConnectionState, name string, use x509.ExtKeyUsage) error {
	o := x509.VerifyOptions{
		Roots: k.parsed.Load().authorities, Intermediates: x509.NewCertPool(), DNSName: name, KeyUsages: []x509.ExtKeyUsage{use},
	}
	for _, c := range s.PeerCertificates[1:] {
		o.Intermediates.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(o)
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: s.PeerCertificates, Err: err}
	}
	return nil
}
