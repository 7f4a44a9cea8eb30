package forward_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/polymath-run/polymath/internal/balance/forward"
)

// drawAddress draws an address and a port of either family.
func drawAddress(t *rapid.T, name string) netip.AddrPort {
	port := rapid.Uint16().Draw(t, name+" port")
	if rapid.Bool().Draw(t, name+" is IPv4") {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, name))), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name))), port)
}

// What is told of a client is read again, whatever follows; no part of it is
// taken for the whole.
func TestProxyHeaderIsReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		version := rapid.SampledFrom([]forward.ProxyVersion{forward.ProxyV1, forward.ProxyV2}).Draw(t, "version")
		client, local := drawAddress(t, "client"), drawAddress(t, "local")
		header := forward.AppendProxyHeader(nil, version, client, local)
		rest := rapid.SliceOf(rapid.Byte()).Draw(t, "rest")
		got, size, err := forward.ReadProxyHeader(append(bytes.Clone(header), rest...))
		if err != nil || size != len(header) {
			t.Fatalf("%q: read %d of %d bytes, %v", header, size, len(header), err)
		}
		if got.Port() != client.Port() || got.Addr().Unmap() != client.Addr().Unmap() {
			t.Fatalf("%q: read %v, told of %v", header, got, client)
		}
		for n := range header {
			if _, size, err := forward.ReadProxyHeader(header[:n]); size != 0 || err != nil {
				t.Fatalf("%d bytes of %q: size %d, %v", n, header, size, err)
			}
		}
	})
}

func TestProxyHeaderOfNobody(t *testing.T) {
	for _, version := range []forward.ProxyVersion{forward.ProxyV1, forward.ProxyV2} {
		header := forward.AppendProxyHeader(nil, version, netip.AddrPort{}, netip.AddrPort{})
		got, size, err := forward.ReadProxyHeader(header)
		if err != nil || size != len(header) || got.IsValid() {
			t.Errorf("version %d: %v, %d of %d bytes, %v", version, got, size, len(header), err)
		}
	}
}

// signet begins a header of version 2.
const signet = "\r\n\r\n\x00\r\nQUIT\n"

func TestProxyHeaderForms(t *testing.T) {
	for _, c := range []struct {
		name, text, client string // "": nobody; "!": malformed
	}{
		{"TCP4", "PROXY TCP4 1.2.3.4 5.6.7.8 1000 80\r\n", "1.2.3.4:1000"},
		{"TCP6", "PROXY TCP6 ::1 2001:db8::1 65535 0\r\n", "[::1]:65535"},
		{"unknown", "PROXY UNKNOWN\r\n", ""},
		{"unknown with words", "PROXY UNKNOWN ffff:: ffff:: 1 2\r\n", ""},
		{"LOCAL", signet + "\x20\x00\x00\x00", ""},
		{"TCP4 with additions", signet + "\x21\x11\x00\x10\x01\x02\x03\x04\x05\x06\x07\x08\x03\xe8\x00\x50\x04\x00\x01x", "1.2.3.4:1000"},
		{"UDP4", signet + "\x21\x12\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x03\xe8\x00\x50", ""},
		{"unspecified family", signet + "\x21\x00\x00\x00", ""},

		{"HTTP", "GET / HTTP/1.1\r\n", "!"},
		{"small letters", "proxy TCP4 1.2.3.4 5.6.7.8 1000 80\r\n", "!"},
		{"LF alone", "PROXY TCP4 1.2.3.4 5.6.7.8 1000 80\n", "!"},
		{"two spaces", "PROXY TCP4  1.2.3.4 5.6.7.8 1000 80\r\n", "!"},
		{"words missing", "PROXY TCP4 1.2.3.4 5.6.7.8 1000\r\n", "!"},
		{"words too many", "PROXY TCP4 1.2.3.4 5.6.7.8 1000 80 90\r\n", "!"},
		{"another family", "PROXY TCP6 1.2.3.4 5.6.7.8 1000 80\r\n", "!"},
		{"another protocol", "PROXY UDP4 1.2.3.4 5.6.7.8 1000 80\r\n", "!"},
		{"no address", "PROXY TCP4 1.2.3 5.6.7.8 1000 80\r\n", "!"},
		{"a zone", "PROXY TCP6 fe80::1%eth0 ::1 1000 80\r\n", "!"},
		{"port too large", "PROXY TCP4 1.2.3.4 5.6.7.8 65536 80\r\n", "!"},
		{"port signed", "PROXY TCP4 1.2.3.4 5.6.7.8 +1 80\r\n", "!"},
		{"port with a zero", "PROXY TCP4 1.2.3.4 5.6.7.8 01 80\r\n", "!"},
		{"no port", "PROXY TCP4 1.2.3.4 5.6.7.8  80\r\n", "!"},
		{"too long", "PROXY UNKNOWN " + strings.Repeat("x", 200), "!"},
		{"nothing behind PROXY", "PROXY \r\n", "!"},
		{"version 3", signet + "\x31\x11\x00\x0c", "!"},
		{"another command", signet + "\x22\x11\x00\x0c", "!"},
		{"too short for TCP4", signet + "\x21\x11\x00\x04\x01\x02\x03\x04", "!"},
		{"too short for TCP6", signet + "\x21\x21\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x03\xe8\x00\x50", "!"},
		{"larger than the limit", signet + "\x21\x11\xff\xff", "!"},
		{"another signature", "\r\n\r\n\x00\r\nQUIX\n", "!"},
	} {
		client, size, err := forward.ReadProxyHeader([]byte(c.text))
		switch {
		case c.client == "!":
			if err == nil {
				t.Errorf("%s: read %v, %d bytes", c.name, client, size)
			}
		case err != nil || size != len(c.text):
			t.Errorf("%s: %d of %d bytes, %v", c.name, size, len(c.text), err)
		case c.client == "" && client.IsValid(), c.client != "" && client.String() != c.client:
			t.Errorf("%s: read %v, want %q", c.name, client, c.client)
		}
	}
}

func FuzzReadProxyHeader(f *testing.F) {
	a, b := netip.MustParseAddrPort("1.2.3.4:5"), netip.MustParseAddrPort("[2001:db8::1]:80")
	for _, v := range []forward.ProxyVersion{forward.ProxyV1, forward.ProxyV2} {
		f.Add(forward.AppendProxyHeader(nil, v, a, a))
		f.Add(forward.AppendProxyHeader(nil, v, a, b))
	}
	f.Add([]byte("PROXY UNKNOWN\r\nGET / HTTP/1.1\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		client, size, err := forward.ReadProxyHeader(text)
		if size < 0 || size > len(text) || size > forward.MaxProxyHeader || err != nil && size != 0 {
			t.Fatalf("%q: size %d, %v", text, size, err)
		}
		if size == 0 && client.IsValid() {
			t.Fatalf("%q: %v of no header", text, client)
		}
		if size == 0 && err == nil && len(text) >= forward.MaxProxyHeader {
			t.Fatalf("%d bytes, and more are wanted", len(text))
		}
		if size == 0 && err == nil {
			return
		}
		// What is decided stays, whatever follows.
		again, size2, err2 := forward.ReadProxyHeader(append(bytes.Clone(text), "PROXY \r\n\x00"...))
		if again != client || size2 != size || (err2 == nil) != (err == nil) {
			t.Fatalf("%q: %v, %d, %v; with more behind it %v, %d, %v", text, client, size, err, again, size2, err2)
		}
	})
}
