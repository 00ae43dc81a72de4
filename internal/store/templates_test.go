package store_test

import (
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
)

func TestTemplatesSQLite(t *testing.T) {
	conformance.Templates(t, func(t *testing.T, clock *conformance.Clock) conformance.TemplatePorts {
		return open(t, "sqlite:"+filepath.Join(t.TempDir(), "postrider.db"), message.Process{ID: uuid.New()}, clock)
	})
}

func TestTemplatesPostgres(t *testing.T) {
	conformance.Templates(t, func(t *testing.T, clock *conformance.Clock) conformance.TemplatePorts {
		return open(t, schema(t), message.Process{ID: uuid.New()}, clock)
	})
}
