package forward

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strconv"

	"github.com/polymath-run/polymath"
)

// The versions of the PROXY protocol
// (https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt).
const (
	ProxyNone ProxyVersion = 0
	ProxyV1   ProxyVersion = 1 // a line of text
	ProxyV2   ProxyVersion = 2 // binary
)

// MaxProxyHeader is the most bytes of a PROXY protocol header that are read.
// Version 1 has at most 107 by its specification; addresses of version 2 take
// up to 232, and the rest is for additions, which are skipped.
const MaxProxyHeader = 2 << 10

const (
	maxProxyLine  = 107
	proxySignet   = "\r\n\r\n\x00\r\nQUIT\n"
	proxyHead     = 16   // bytes before the addresses of version 2
	proxyLocal    = 0x20 // version 2, command LOCAL
	proxyProxy    = 0x21 // version 2, command PROXY
	proxyTCP4     = 0x11
	proxyTCP6     = 0x21
	proxyTCP4Size = 12
	proxyTCP6Size = 36
)

// ReadProxyHeader reads the header at the begin of b: who the client is, which
// is invalid where the header does not say, and how many bytes it has. Size 0
// without an error asks for more bytes.
func ReadProxyHeader(b []byte) (client netip.AddrPort, size int, err error) {
	if len(b) == 0 {
		return netip.AddrPort{}, 0, nil
	}
	if b[0] == proxySignet[0] {
		return readProxyV2(b)
	}
	return readProxyV1(b)
}

func malformedProxy(why string) error {
	return polymath.Errorf(polymath.InvalidArgument, "a malformed PROXY protocol header: %s; does the sender speak it?", why)
}

// readProxyV1 reads "PROXY TCP4 1.2.3.4 5.6.7.8 1000 80\r\n".
func readProxyV1(b []byte) (netip.AddrPort, int, error) {
	const begin = "PROXY "
	if n := min(len(b), len(begin)); string(b[:n]) != begin[:n] {
		return netip.AddrPort{}, 0, malformedProxy("it does not begin with PROXY")
	}
	end := bytes.IndexByte(b[:min(len(b), maxProxyLine)], '\n')
	if end < 0 {
		if len(b) >= maxProxyLine {
			return netip.AddrPort{}, 0, malformedProxy("its line is longer than " + strconv.Itoa(maxProxyLine) + " bytes")
		}
		return netip.AddrPort{}, 0, nil
	}
	if b[end-1] != '\r' {
		return netip.AddrPort{}, 0, malformedProxy("its line does not end with CRLF")
	}
	words := bytes.Split(b[len(begin):end-1], []byte(" "))
	if string(words[0]) == "UNKNOWN" {
		return netip.AddrPort{}, end + 1, nil
	}
	if len(words) != 5 {
		return netip.AddrPort{}, 0, malformedProxy("its line does not have six words")
	}
	source, ok1 := proxyAddress(words[0], words[1], words[3])
	_, ok2 := proxyAddress(words[0], words[2], words[4])
	if !ok1 || !ok2 {
		return netip.AddrPort{}, 0, malformedProxy("an address or a port is none")
	}
	return source, end + 1, nil
}

// proxyAddress reads one end of a connection as version 1 writes it.
func proxyAddress(family, host, port []byte) (netip.AddrPort, bool) {
	a, err := netip.ParseAddr(string(host))
	if err != nil || a.Zone() != "" || a.Is4() != (string(family) == "TCP4") || !a.Is4() && string(family) != "TCP6" {
		return netip.AddrPort{}, false
	}
	if len(port) == 0 || len(port) > 5 || len(port) > 1 && port[0] == '0' || port[0] == '+' || port[0] == '-' {
		return netip.AddrPort{}, false
	}
	n, err := strconv.ParseUint(string(port), 10, 16)
	return netip.AddrPortFrom(a, uint16(n)), err == nil
}

// readProxyV2 reads the binary form.
func readProxyV2(b []byte) (netip.AddrPort, int, error) {
	if n := min(len(b), len(proxySignet)); string(b[:n]) != proxySignet[:n] {
		return netip.AddrPort{}, 0, malformedProxy("it does not begin with the signature of version 2")
	}
	if len(b) < proxyHead {
		return netip.AddrPort{}, 0, nil
	}
	size := proxyHead + int(binary.BigEndian.Uint16(b[14:]))
	if size > MaxProxyHeader {
		return netip.AddrPort{}, 0, malformedProxy("it is longer than " + strconv.Itoa(MaxProxyHeader) + " bytes")
	}
	command, family := b[12], b[13]
	if command != proxyLocal && command != proxyProxy {
		return netip.AddrPort{}, 0, malformedProxy("neither version 2 nor a command of it")
	}
	if len(b) < size {
		return netip.AddrPort{}, 0, nil
	}
	if command == proxyLocal {
		return netip.AddrPort{}, size, nil
	}
	switch rest := b[proxyHead:size]; {
	case family == proxyTCP4 && len(rest) >= proxyTCP4Size:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(rest[:4])), binary.BigEndian.Uint16(rest[8:])), size, nil
	case family == proxyTCP6 && len(rest) >= proxyTCP6Size:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(rest[:16])), binary.BigEndian.Uint16(rest[32:])), size, nil
	case family == proxyTCP4, family == proxyTCP6:
		return netip.AddrPort{}, 0, malformedProxy("it is too short for its addresses")
	default:
		return netip.AddrPort{}, size, nil // datagrams and files: as if unknown
	}
}

// AppendProxyHeader appends the header that tells an upstream of a client and
// of the address it came to. Where the client is not known, the header says so.
func AppendProxyHeader(dst []byte, version ProxyVersion, client, local netip.AddrPort) []byte {
	client = netip.AddrPortFrom(client.Addr().Unmap(), client.Port())
	local = netip.AddrPortFrom(local.Addr().Unmap(), local.Port())
	known := client.IsValid() && local.IsValid()
	four := client.Addr().Is4() && local.Addr().Is4()
	if version == ProxyV1 {
		if !known {
			return append(dst, "PROXY UNKNOWN\r\n"...)
		}
		family := "PROXY TCP6 "
		if four {
			family = "PROXY TCP4 "
		}
		dst = append(dst, family...)
		dst = append(appendProxyHost(dst, client.Addr(), four), ' ')
		dst = append(appendProxyHost(dst, local.Addr(), four), ' ')
		dst = append(strconv.AppendUint(dst, uint64(client.Port()), 10), ' ')
		return append(strconv.AppendUint(dst, uint64(local.Port()), 10), "\r\n"...)
	}
	dst = append(dst, proxySignet...)
	switch {
	case !known:
		return append(dst, proxyLocal, 0, 0, 0)
	case four:
		a, b := client.Addr().As4(), local.Addr().As4()
		dst = append(append(append(dst, proxyProxy, proxyTCP4, 0, proxyTCP4Size), a[:]...), b[:]...)
	default:
		a, b := client.Addr().As16(), local.Addr().As16()
		dst = append(append(append(dst, proxyProxy, proxyTCP6, 0, proxyTCP6Size), a[:]...), b[:]...)
	}
	dst = binary.BigEndian.AppendUint16(dst, client.Port())
	return binary.BigEndian.AppendUint16(dst, local.Port())
}

// appendProxyHost writes an address in the family of the line.
func appendProxyHost(dst []byte, a netip.Addr, four bool) []byte {
	if !four && a.Is4() {
		a = netip.AddrFrom16(a.As16())
	}
	return a.WithZone("").AppendTo(dst)
}
