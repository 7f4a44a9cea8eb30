package ledger

// Fault is a deliberate defect. The simulator plants one at a time to prove
// that its oracle would see it; nothing else ever sets one.
type Fault uint8

// The faults that can be planted in a ledger.
const (
	NoFault         Fault = iota
	AcceptAnyNumber       // apply an entry again when it was appended twice
	SkipFencing           // let a stale token complete whatever is leased now
	MergeTwice            // add an output to the answer twice
	ForgetInterval        // lose an interval that was handed back
	ReuseToken            // grant two leases under one token
	DoubleGrant           // lease out an interval and keep it, too
	FinishEarly           // call a job done while its last leases are out
	KeepTwin              // leave the second token of a finished interval alive
	ForgetFailed          // count a failed interval as worked on
	ForgetOnImage         // leave what was handed back out of a checkpoint
	IgnoreKey             // make a second job for the same idempotency key
	DiscardBeside         // let the dead letters of a tenant's other queues go, too
	ForgetDiscard         // count the dead letters of a Discard as gone and keep them

	faultCount // how many there are, with NoFault
)

// Plant switches a fault on.
func (l *Ledger) Plant(f Fault) { l.fault = f }

// String is the name of the fault.
func (f Fault) String() string {
	switch f {
	case NoFault:
		return "NoFault"
	case AcceptAnyNumber:
		return "AcceptAnyNumber"
	case SkipFencing:
		return "SkipFencing"
	case MergeTwice:
		return "MergeTwice"
	case ForgetInterval:
		return "ForgetInterval"
	case ReuseToken:
		return "ReuseToken"
	case DoubleGrant:
		return "DoubleGrant"
	case FinishEarly:
		return "FinishEarly"
	case KeepTwin:
		return "KeepTwin"
	case ForgetFailed:
		return "ForgetFailed"
	case ForgetOnImage:
		return "ForgetOnImage"
	case IgnoreKey:
		return "IgnoreKey"
	case DiscardBeside:
		return "DiscardBeside"
	case ForgetDiscard:
		return "ForgetDiscard"
	default:
		return "unknown"
	}
}
