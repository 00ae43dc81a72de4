package template

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/postrider/postrider/internal/message"
)

// fill returns the values that a template is rendered with. Pointer is where the
// caller's stand in the request. What the template does not declare is given as
// it is: callers have one set of data for many templates.
func fill(variables []message.Variable, given map[string]any, pointer string, faults *message.Faults) map[string]any {
	values := make(map[string]any, len(given)+len(variables))
	for name, value := range given {
		values[name] = value
	}
	for _, v := range variables {
		value := values[v.Key]
		at := pointer + message.Pointer(v.Key)
		switch {
		case value == nil && v.Fallback != nil:
			values[v.Key] = v.Fallback
		case value == nil && !v.Optional:
			faults.Add(at, message.CodeMissingVariable, fmt.Sprintf("is not given; the template needs it, as a %s", v.Type))
		case value != nil && typeOf(value) != v.Type:
			faults.Add(at, message.CodeInvalidVariable, fmt.Sprintf("must be a %s, not a %s", v.Type, typeOf(value)))
		}
	}
	return values
}

// declared are the variables of a template and of what it includes. The
// template's own word goes before that of others.
func declared(b *message.TemplateBody) []message.Variable {
	list := slices.Clone(b.Variables)
	seen := map[string]bool{}
	for _, v := range list {
		seen[v.Key] = true
	}
	for _, alias := range slices.Sorted(maps.Keys(b.Included)) {
		for _, v := range b.Included[alias].Variables {
			if !seen[v.Key] {
				seen[v.Key] = true
				list = append(list, v)
			}
		}
	}
	return list
}

func typeOf(value any) message.VariableType {
	switch value.(type) {
	case string:
		return message.VariableString
	case json.Number:
		return message.VariableNumber
	case bool:
		return message.VariableBoolean
	case []any:
		return message.VariableList
	}
	return message.VariableObject
}
