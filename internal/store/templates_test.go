package store_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/storetest"
)

func TestTemplatesSQLite(t *testing.T) {
	conformance.Templates(t, func(t *testing.T, clock *conformance.Clock) conformance.TemplatePorts {
		return open(t, storetest.SQLite(t), message.Process{ID: uuid.New()}, clock)
	})
}

func TestTemplatesPostgres(t *testing.T) {
	conformance.Templates(t, func(t *testing.T, clock *conformance.Clock) conformance.TemplatePorts {
		return open(t, storetest.Postgres(t), message.Process{ID: uuid.New()}, clock)
	})
}
