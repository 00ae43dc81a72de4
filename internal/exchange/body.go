package exchange

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"unicode/utf8"
)

// Body writes v as JSON. Text in it that is not UTF-8 is an error: encoding/json puts
// U+FFFD in the place of such bytes, so that the server, which refuses them, would take
// and send a damaged mail.
func Body(v any) ([]byte, error) {
	if place, found := damage(reflect.ValueOf(v), ""); found {
		return nil, fmt.Errorf("%s is not text in UTF-8", place)
	}
	return json.Marshal(v)
}

// damage finds text that is not UTF-8; place is where v stands, in Go's words.
func damage(v reflect.Value, place string) (at string, found bool) {
	switch v.Kind() {
	case reflect.String:
		return place, !utf8.ValidString(v.String())
	case reflect.Pointer, reflect.Interface:
		return damage(v.Elem(), place)
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() {
				if at, found = damage(v.Field(i), join(place, field.Name)); found {
					return at, true
				}
			}
		}
	case reflect.Slice:
		for i := 0; i < v.Len() && v.Type().Elem().Kind() != reflect.Uint8; i++ { // bytes become base64
			if at, found = damage(v.Index(i), place+"["+strconv.Itoa(i)+"]"); found {
				return at, true
			}
		}
	case reflect.Map:
		for pairs := v.MapRange(); pairs.Next(); {
			key := place + "[" + strconv.Quote(pairs.Key().String()) + "]"
			if _, found = damage(pairs.Key(), key); found {
				return key, true
			}
			if at, found = damage(pairs.Value(), key); found {
				return at, true
			}
		}
	default: // holds no text
	}
	return "", false
}

func join(place, name string) string {
	if place == "" {
		return name
	}
	return place + "." + name
}
