package pick

import (
	"fmt"
	"strings"
)

// Names lists what New knows, the everyday ones first.
func Names() []string {
	return []string{
		"round-robin", "weighted-round-robin", "least-connections", "random", "peak-ewma",
		"ring", "bounded-ring", "maglev", "rendezvous", "slot-map",
	}
}

// New makes the policy of a name, with its defaults and without backends.
func New(name string) (Policy, error) {
	switch name {
	case "round-robin":
		return NewRoundRobin(), nil
	case "weighted-round-robin":
		return NewSmooth(), nil
	case "least-connections":
		return NewLeast(), nil
	case "random":
		return NewRandom(), nil
	case "peak-ewma":
		return NewPeakEWMA(DefaultDecay), nil
	case "ring":
		return NewRing(DefaultPoints)
	case "bounded-ring":
		return NewBoundedRing(DefaultPoints, DefaultBound)
	case "maglev":
		return NewMaglev(), nil
	case "rendezvous":
		return NewRendezvous(), nil
	case "slot-map":
		return newClassicSlotMap()
	default:
		return nil, fmt.Errorf("pick: no policy is called %q: choose one of %s", name, strings.Join(Names(), ", "))
	}
}

// newClassicSlotMap is the map as it was first described.
func newClassicSlotMap() (Policy, error) {
	hash, err := NamedSlotHash("classic")
	if err != nil {
		return nil, err
	}
	probe, err := NamedProbe("linear")
	if err != nil {
		return nil, err
	}
	return NewSlotMap(hash, probe)
}
