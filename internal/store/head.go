package store

import (
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// headColumns are those of a message that lists show.
const headColumns = `id, tenant_id, kind, lane, head, on_unknown, scheduled_at, expires_at, trace, created_at`

// headRow is what they are scanned into.
type headRow struct {
	m                  message.Message
	head               string
	scheduled, expires sql.NullInt64
	created            int64
}

func (h *headRow) dest() []any {
	return []any{
		&h.m.ID, &h.m.TenantID, &h.m.Kind, &h.m.Lane, &h.head, &h.m.OnUnknown, &h.scheduled, &h.expires, &h.m.Trace, &h.created,
	}
}

// message decodes the row. It returns what it could read beside an error.
func (h *headRow) message() (message.Message, error) {
	h.m.ScheduledAt, h.m.ExpiresAt = fromMillis(h.scheduled.Int64), fromMillis(h.expires.Int64)
	h.m.CreatedAt = fromMillis(h.created)
	if err := json.Unmarshal([]byte(h.head), &h.m.Head); err != nil {
		return h.m, fmt.Errorf("head of message %s: %w", h.m.ID, err)
	}
	return h.m, nil
}

// deliveryColumns are all of a delivery.
const deliveryColumns = `message_id, n, tenant_id, channel, role, address, lane, on_unknown, expires_at, status, reason,
	dispatch, claim, phase, lease_until, worker_id, published_at, next_attempt_at, attempts, interrupted,
	unknown_outcomes, remote_id, finished_at`

func scanDelivery(rows row) (message.Delivery, error) {
	var d message.Delivery
	var expires, lease, published, next, finished sql.NullInt64
	var worker uuid.NullUUID
	err := rows.Scan(&d.MessageID, &d.N, &d.TenantID, &d.Channel, &d.Role, &d.Address, &d.Lane, &d.OnUnknown, &expires,
		&d.Status, &d.Reason, &d.Dispatch, &d.Claim, &d.Phase, &lease, &worker, &published, &next, &d.Attempts,
		&d.Interrupted, &d.UnknownOutcomes, &d.RemoteID, &finished)
	d.ExpiresAt, d.LeaseUntil = fromMillis(expires.Int64), fromMillis(lease.Int64)
	d.PublishedAt, d.NextAttemptAt = fromMillis(published.Int64), fromMillis(next.Int64)
	d.FinishedAt, d.WorkerID = fromMillis(finished.Int64), worker.UUID
	return d, err
}
