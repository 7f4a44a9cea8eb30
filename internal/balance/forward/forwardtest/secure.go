package forwardtest

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Identity is a certificate for 127.0.0.1, and those who trust it.
type Identity struct{ certificate tls.Certificate }

// NewIdentity makes one.
func NewIdentity(t testing.TB) *Identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost", "example.test"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &Identity{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}}
}

// Server is the configuration of a server that speaks some protocols.
func (i *Identity) Server(protocols ...string) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{i.certificate}, NextProtos: protocols, MinVersion: tls.VersionTLS12}
}

// Client is the configuration of a client that trusts the certificate.
func (i *Identity) Client(protocols ...string) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(i.certificate.Leaf)
	return &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", NextProtos: protocols, MinVersion: tls.VersionTLS12}
}

// quiet is a log for servers whose clients misbehave on purpose.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// isReset reports whether the other side ended a connection without a word.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrUnexpectedEOF)
}

// readProxyHeader reads the PROXY protocol header before a connection: another
// reading of the specification than the product's.
func readProxyHeader(r *bufio.Reader, behind Behind) (netip.AddrPort, error) {
	if behind == Proxied1 {
		line, err := r.ReadString('\n')
		if err != nil {
			return netip.AddrPort{}, err
		}
		word := strings.Split(strings.TrimSuffix(line, "\r\n"), " ")
		if len(word) != 6 || word[0] != "PROXY" || word[1] != "TCP4" {
			return netip.AddrPort{}, errors.New("no PROXY line: " + line)
		}
		return netip.ParseAddrPort(word[2] + ":" + word[4])
	}
	var head [16]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return netip.AddrPort{}, err
	}
	if string(head[:12]) != "\r\n\r\n\x00\r\nQUIT\n" || head[12] != 0x21 || head[13] != 0x11 {
		return netip.AddrPort{}, errors.New("no PROXY header of version 2")
	}
	rest := make([]byte, binary.BigEndian.Uint16(head[14:]))
	if _, err := io.ReadFull(r, rest); err != nil {
		return netip.AddrPort{}, err
	}
	if len(rest) < 12 {
		return netip.AddrPort{}, errors.New("no addresses")
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(rest[:4])), binary.BigEndian.Uint16(rest[8:])), nil
}
