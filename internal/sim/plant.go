package sim

import (
	"github.com/polymath-run/polymath/internal/ledger"
	"github.com/polymath-run/polymath/internal/node"
)

// Plant is a deliberate defect somewhere in the system, to see whether the
// oracle sees it.
type Plant uint8

// The defects of the journal; those of ledger and node follow.
const (
	Sound Plant = iota
	AckBeforeSync
	firstLedger
)

const (
	firstNode = firstLedger + Plant(ledger.ForgetDiscard)
	endPlants = firstNode + Plant(node.SkipFlush)
)

// Plants lists every defect.
func Plants() []Plant {
	var all []Plant
	for p := AckBeforeSync; p < endPlants; p++ {
		all = append(all, p)
	}
	return all
}

// ledger is the part of the defect that is the ledger's.
func (p Plant) ledger() ledger.Fault {
	if p >= firstLedger && p < firstNode {
		return ledger.Fault(p-firstLedger) + 1
	}
	return ledger.NoFault
}

// node is the part of the defect that is the node's.
func (p Plant) node() node.Fault {
	if p >= firstNode && p < endPlants {
		return node.Fault(p-firstNode) + 1
	}
	return node.NoFault
}

// String is the name of the defect.
func (p Plant) String() string {
	switch {
	case p == Sound:
		return "none"
	case p == AckBeforeSync:
		return "AckBeforeSync"
	case p < firstNode:
		return p.ledger().String()
	default:
		return p.node().String()
	}
}
