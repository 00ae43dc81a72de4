package rabbitmq_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/rabbitmq"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestQuorumQueue(t *testing.T)  { enrol(t, rabbitmq.Quorum) }
func TestClassicQueue(t *testing.T) { enrol(t, rabbitmq.Classic) }

func enrol(t *testing.T, kind rabbitmq.QueueType) {
	conformance.Queue(t, conformance.QueueEnrolment{
		Traits: conformance.QueueTraits{Shared: true, Sessions: true},
		New:    func(t *testing.T) conformance.QueueFixture { return newPlace(t).fixture(t, kind) },
	})
}
