package forward

import "net/netip"

// Trust decides whose forwarding fields are believed.
type Trust struct{ proxies []netip.Prefix }

// NewTrust believes the given networks.
func NewTrust(proxies []netip.Prefix) Trust { return Trust{proxies} }

// Believes reports whether an address is one of a trusted proxy.
func (t Trust) Believes(a netip.Addr) bool {
	a = a.Unmap()
	for _, p := range t.proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
