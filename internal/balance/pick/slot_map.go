package pick

import (
	"errors"
	"fmt"
)

const (
	// Slots is M, the size of the slot map.
	Slots = 512

	// VirtualServers is K, how many slots each server has: log2 of Slots.
	VirtualServers = 9

	maxSlotServers = Slots / VirtualServers
)

// SlotHash is a pair of hash functions of the slot map, both taken modulo Slots.
type SlotHash struct {
	// Request is H: where the request with this key looks.
	Request func(i uint64) uint64

	// Server is Phi: where virtual server j of server i wants to be.
	Server func(i, j uint64) uint64
}

// NamedSlotHash finds a pair of hash functions: "classic", the quadratic ones
// the map was described with, or "mixed", which spread well. Classic requests
// reach 87 of the 512 slots, since a square has few remainders modulo 512, so
// that shares are badly skewed.
func NamedSlotHash(name string) (SlotHash, error) {
	switch name {
	case "classic":
		return SlotHash{
			Request: func(i uint64) uint64 { return i*i + 2*i + 17 },
			Server:  func(i, j uint64) uint64 { return i*i + j*j + 2*j + 25 },
		}, nil
	case "mixed":
		return SlotHash{
			Request: mix,
			Server:  func(i, j uint64) uint64 { return nth(mix(^i), j) },
		}, nil
	default:
		return SlotHash{}, fmt.Errorf("pick: no slot hash is called %q: choose classic or mixed", name)
	}
}

// Probe says which slot a virtual server tries after its n-th is taken, as the
// distance from its first: n counts from 0, and the n below Slots reach all.
type Probe func(n uint64) uint64

// NamedProbe finds a way of probing: "linear", 0 1 2 3, or "quadratic", 0 1 3 6:
// triangular numbers, which unlike squares reach every slot of a power of two.
func NamedProbe(name string) (Probe, error) {
	switch name {
	case "linear":
		return func(n uint64) uint64 { return n }, nil
	case "quadratic":
		return func(n uint64) uint64 { return n * (n + 1) / 2 }, nil
	default:
		return nil, fmt.Errorf("pick: no probing is called %q: choose linear or quadratic", name)
	}
}

// SlotMap is consistent hashing on an array: VirtualServers slots of Slots are a
// server's, and a request goes to the server at its own slot, or clockwise to
// the next. Servers are known by Backend.Number; weights above zero are equal.
//
// Where two virtual servers want one slot, who came first has it, so the map
// depends on history, unlike the ring: a server that leaves frees its slots and
// nobody else's move; one that comes takes free ones.
type SlotMap struct {
	list

	hash  SlotHash
	probe Probe
	taken [Slots]uint64 // by which number
	used  [Slots]bool
	owner [Slots]int16 // index of the backend a request of this slot belongs to
}

// NewSlotMap makes an empty map.
func NewSlotMap(hash SlotHash, probe Probe) (*SlotMap, error) {
	if hash.Request == nil || hash.Server == nil || probe == nil {
		return nil, errors.New("pick: a slot map needs both hash functions and a probing: see NamedSlotHash and NamedProbe")
	}
	return &SlotMap{hash: hash, probe: probe}, nil
}

// Update implements Policy. Newcomers are placed in the order of the list. It
// refuses more servers than there are slots for, and numbers that are not
// unique. Servers of weight zero keep their slots.
func (p *SlotMap) Update(backends []Backend) error {
	if err := check(backends); err != nil {
		return err
	}
	if len(backends) > maxSlotServers {
		return fmt.Errorf("pick: %d servers in the slot map, which has room for %d: choose the ring", len(backends), maxSlotServers)
	}
	index := make(map[uint64]int, len(backends))
	for i, b := range backends {
		if first, ok := index[b.Number]; ok {
			return fmt.Errorf("pick: servers %q and %q both have number %d: give each a number of its own", backends[first].Name, b.Name, b.Number)
		}
		index[b.Number] = i
	}
	p.set(backends)
	p.settle(index)
	p.assign(index)
	return nil
}

// settle frees the slots of those who left and finds some for those who came.
func (p *SlotMap) settle(index map[uint64]int) {
	here := make(map[uint64]bool, len(index))
	for slot := range p.used {
		if _, ok := index[p.taken[slot]]; !ok {
			p.used[slot] = false
		}
		if p.used[slot] {
			here[p.taken[slot]] = true
		}
	}
	for _, b := range p.backends {
		if !here[b.Number] {
			p.seat(b.Number)
		}
	}
}

func (p *SlotMap) seat(number uint64) {
	for j := range uint64(VirtualServers) {
		first := p.hash.Server(number, j)
		for n := range uint64(Slots) {
			slot := (first + p.probe(n)) % Slots
			if !p.used[slot] {
				p.used[slot], p.taken[slot] = true, number
				break
			}
		}
	}
}

// assign goes twice around anticlockwise, so that every slot, also the last,
// knows who is next.
func (p *SlotMap) assign(index map[uint64]int) {
	owner := int16(None)
	for n := 2*Slots - 1; n >= 0; n-- {
		slot := n % Slots
		if p.used[slot] {
			owner = int16(index[p.taken[slot]])
		}
		p.owner[slot] = owner
	}
}

// Pick implements Policy.
func (p *SlotMap) Pick(r Request) int {
	if len(p.backends) == 0 {
		return None
	}
	slot := p.hash.Request(r.Key) % Slots
	for range Slots {
		if i := int(p.owner[slot]); p.eligible(i, r.Avoid) {
			return i
		}
		slot = (slot + 1) % Slots
	}
	return None
}
