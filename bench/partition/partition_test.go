package partition

import (
	"bytes"
	"testing"

	"github.com/google/uuid"
)

func TestTodaysIDsLieInTodaysPartition(t *testing.T) {
	before := firstID(0) // midnight may come meanwhile
	id := uuid.Must(uuid.NewV7())
	from, to := firstID(0), firstID(-1)
	if from == before && (bytes.Compare(id[:], from[:]) < 0 || bytes.Compare(id[:], to[:]) >= 0) {
		t.Errorf("%s is not from %s to %s", id, from, to)
	}
}
