package adcs

// RetryClass says whether it helps to try again after an error.
type RetryClass string

// The retry classes.
const (
	RetryNever    RetryClass = "never"    // the same request will not succeed; order something else
	RetryAfter    RetryClass = "after"    // the same request may succeed later, without anybody changing anything
	RetryOperator RetryClass = "operator" // the same request may succeed once a person has changed something
)
