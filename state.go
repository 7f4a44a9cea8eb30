package polymath

// State is where a job stands.
type State uint8

// The states of a job. The numbers are on disk: never renumber them.
const (
	Queued    State = 1 // accepted, no unit leased yet
	Running   State = 2 // a unit was leased at least once
	Succeeded State = 3 // every unit counted, the answer stands
	Failed    State = 4 // gave up; the error says why
	Cancelled State = 5 // somebody asked it to stop
)

// States lists every state in the order of its number.
func States() []State { return []State{Queued, Running, Succeeded, Failed, Cancelled} }

// Final reports whether a job in this state never changes again.
func (s State) Final() bool { return s == Succeeded || s == Failed || s == Cancelled }

// CanBecome is the table of legal transitions. A job without units succeeds
// at once, and one may fail (deadline) or be cancelled before it ever ran.
func (s State) CanBecome(next State) bool {
	switch s {
	case Queued:
		return next == Running || next.Final()
	case Running:
		return next.Final()
	default:
		return false
	}
}

// String is the word users see.
func (s State) String() string {
	switch s {
	case Queued:
		return "queued"
	case Running:
		return "running"
	case Succeeded:
		return "succeeded"
	case Failed:
		return "failed"
	case Cancelled:
		return "cancelled"
	default:
		return "unknown"
	}
}

// ParseState reads what String printed; anything else is InvalidArgument.
func ParseState(s string) (State, error) {
	for _, st := range States() {
		if st.String() == s {
			return st, nil
		}
	}
	return 0, Errorf(InvalidArgument, "%q is no job state: use queued, running, succeeded, failed or cancelled", clip(s))
}
