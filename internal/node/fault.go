package node

// Fault is a deliberate defect that the simulator plants to prove that its
// oracle would see it; nothing else ever sets one.
type Fault uint8

// The faults that can be planted in a node.
const (
	NoFault           Fault = iota
	AnswerOnAppend          // answer when the journal has the entry, whatever comes of it
	NewSessionOnRetry       // propose again in a new session when nobody knows
	NeverExpire             // let silent leases live for ever
	TrimUnstored            // trim the journal before the checkpoint is stored
	SkipFlush               // call a checkpoint done while the archive lags behind it
)

// String is the name of the fault.
func (f Fault) String() string {
	switch f {
	case NoFault:
		return "NoFault"
	case AnswerOnAppend:
		return "AnswerOnAppend"
	case NewSessionOnRetry:
		return "NewSessionOnRetry"
	case NeverExpire:
		return "NeverExpire"
	case TrimUnstored:
		return "TrimUnstored"
	case SkipFlush:
		return "SkipFlush"
	default:
		return "unknown"
	}
}
