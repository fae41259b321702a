//! Functions of our own: what each yields for a row of arguments, the same for constants and for columns, and NULL for NULLs.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::ScalarValue;
use datafusion_expr::ReturnFieldArgs;

use super::{decimal, results, timestamp};
use crate::Expr;
use crate::functions;

/// The call as the planner makes it: arguments cast to what the function takes.
fn call(name: &str, arguments: &[Expr]) -> Result<Expr, String> {
    let function = functions::named(name).ok_or_else(|| format!("no function {name}"))?;
    let types: Vec<DataType> = arguments.iter().map(Expr::data_type).collect();
    let coerced = function.coerce_types(&types).map_err(|error| error.strip_backtrace())?;
    let arguments: Vec<Expr> =
        arguments.iter().cloned().zip(&coerced).map(|(argument, wanted)| argument.cast(wanted.clone())).collect();
    let fields: Vec<FieldRef> = coerced.iter().map(|wanted| Arc::new(Field::new("", wanted.clone(), true)) as FieldRef).collect();
    let literals: Vec<Option<&ScalarValue>> = arguments.iter().map(Expr::as_literal).collect();
    let bound = ReturnFieldArgs { arg_fields: &fields, scalar_arguments: &literals };
    let field = function.return_field_from_args(bound).map_err(|error| error.strip_backtrace())?;
    Ok(Expr::function(function, arguments, field))
}

/// What the function yields for these arguments: as constants, and as columns between rows of NULLs. The arguments `fixed` must be constants.
pub(super) fn of(name: &str, arguments: &[ScalarValue], fixed: &[usize]) -> String {
    let literals: Vec<Expr> = arguments.iter().map(|argument| Expr::literal(argument.clone())).collect();
    let by_literals = match call(name, &literals) {
        Ok(expr) => results(&expr, &[], 1).remove(0),
        Err(message) => return format!("refused: {message}"),
    };
    let null = |value: &ScalarValue| ScalarValue::try_new_null(&value.data_type()).unwrap();
    let columns: Vec<_> =
        arguments.iter().map(|value| ScalarValue::iter_to_array([null(value), value.clone(), null(value)]).unwrap()).collect();
    let by_columns = arguments.iter().enumerate().map(|(index, value)| match fixed.contains(&index) {
        true => Expr::literal(value.clone()),
        false => Expr::column(index, value.data_type()),
    });
    let by_columns = call(name, &by_columns.collect::<Vec<_>>()).unwrap();
    assert_eq!(results(&by_columns, &columns, 3)[1], by_literals, "{name}: constants and columns disagree");
    by_literals
}

fn check(name: &str, cases: &[(&[ScalarValue], &str)], fixed: &[usize]) {
    for (arguments, wanted) in cases {
        assert_eq!(of(name, arguments, fixed), *wanted, "{name}{arguments:?}");
    }
}

fn text(text: &str) -> ScalarValue {
    ScalarValue::Utf8(Some(text.to_owned()))
}

fn integer(value: i64) -> ScalarValue {
    ScalarValue::Int64(Some(value))
}

/// 2024-02-29 13:04:05.678900, a Thursday in a leap year.
const LEAP: i64 = 1_709_211_845_678_900;

#[test]
fn times_are_written_by_patterns_of_postgresql() {
    let leap = timestamp(LEAP);
    for (pattern, wanted) in [
        ("YYYY-MM-DD HH24:MI:SS.US", "2024-02-29 13:04:05.678900"),
        ("YYYY-MM-DD\"T\"HH24:MI:SS.MS", "2024-02-29T13:04:05.678"),
        ("Day, DDth Month YYYY", "Thursday , 29th February  2024"),
        ("FMDay, FMDDth FMMonth YYYY", "Thursday, 29th February 2024"),
        ("Dy DD Mon YY HH12:MI am", "Thu 29 Feb 24 01:04 pm"),
        ("DAY MONTH P.M.", "THURSDAY  FEBRUARY  P.M."),
        ("day mon", "thursday  feb"),
        ("DDD D ID WW IW W Q J CC", "060 5 4 09 09 5 1 2460370 21"),
        ("IYYY-IW-ID", "2024-09-4"),
        ("SSSS FF1 FF4", "47045 6 6789"),
        ("Y,YYY YYY Y RM rm", "2,024 024 4 II   ii  "),
        ("FMHH24:FMMI:FMSS", "13:4:5"),
        ("TZ BC", " AD"),
    ] {
        assert_eq!(of("to_char", &[leap.clone(), text(pattern)], &[]), wanted, "{pattern}");
    }
    check(
        "to_char",
        &[
            (
                &[leap.clone(), text("%Y-%m-%d %H:%M:%S%.3f %j %a %B %e %I %p %u %V %%")],
                "2024-02-29 13:04:05.678 060 Thu February 29 01 PM 4 09 %",
            ),
            (&[timestamp(0), text("%F %T %s %y")], "1970-01-01 00:00:00 0 70"),
            (&[timestamp(-1), text("YYYY-MM-DD HH24:MI:SS.US")], "1969-12-31 23:59:59.999999"),
            (&[leap.clone(), text("%!")], "%!"),
            (&[leap.clone(), text("%L")], "DT2005"),
            (&[ScalarValue::Date32(Some(-719_529)), text("YYYY BC")], "0002 BC"),
            (&[ScalarValue::Time64Microsecond(Some(3_661_000_000)), text("HH24:MI:SS")], "01:01:01"),
            (&[decimal(-123_456, 8, 2), text("FM9,999.0")], "-1,234.6"),
            (&[integer(42), text("0000")], " 0042"),
            (&[ScalarValue::Float64(Some(2.5)), text("9.99")], " 2.50"),
            (
                &[
                    ScalarValue::IntervalMonthDayNano(Some(arrow::datatypes::IntervalMonthDayNano::new(
                        14,
                        3,
                        90_061_000_000_000,
                    ))),
                    text("YYYY MM DD HH24:MI:SS"),
                ],
                "0001 02 03 25:01:01",
            ),
        ],
        &[],
    );
}

#[test]
fn times_are_written_by_patterns_of_java_and_mysql() {
    let leap = timestamp(LEAP);
    check(
        "date_format",
        &[
            (&[leap.clone(), text("yyyy-MM-dd HH:mm:ss.SSS")], "2024-02-29 13:04:05.678"),
            (&[leap.clone(), text("EEE, d MMM yy hh:mm a")], "Thu, 29 Feb 24 01:04 PM"),
            (&[leap.clone(), text("yyyy-MM-dd'T'HH:mm:ss''")], "2024-02-29T13:04:05'"),
            (&[leap.clone(), text("%Y-%m-%d %H:%i:%s %W %M %D")], "2024-02-29 13:04:05 Thursday February 29th"),
            (&[text("2024-02-29 13:04:05"), text("yyyyMMdd")], "20240229"),
            (&[leap, text("yyyy-bb")], "DT2005"),
        ],
        &[],
    );
    check(
        "from_unixtime",
        &[(&[integer(0)], "1970-01-01 00:00:00"), (&[integer(86_400), text("yyyy/MM/dd")], "1970/01/02")],
        &[],
    );
    check(
        "unix_timestamp",
        &[
            (&[text("1970-01-02 00:00:01")], "86401"),
            (&[text("02.01.1970"), text("dd.MM.yyyy")], "86400"),
            (&[timestamp(-1)], "-1"),
            (&[text("x")], "DT2005"),
        ],
        &[],
    );
}

#[test]
fn times_are_read_by_patterns() {
    check(
        "to_timestamp",
        &[
            (&[text("05 Dec 2000"), text("DD Mon YYYY")], "2000-12-05 00:00:00+00"),
            (&[text("2024-02-29 01:04:05.5 pm"), text("YYYY-MM-DD HH12:MI:SS.US am")], "2024-02-29 13:04:05.5+00"),
            (&[text("20240229"), text("YYYYMMDD")], "2024-02-29 00:00:00+00"),
            (&[text("2024-060"), text("YYYY-DDD")], "2024-02-29 00:00:00+00"),
            (&[text("2024-09-4"), text("IYYY-IW-ID")], "2024-02-29 00:00:00+00"),
            (&[text("2024/02/29 13:04"), text("%Y-%m-%d %H:%M")], "2024-02-29 13:04:00+00"),
            (&[text("2023-02-29"), text("YYYY-MM-DD")], "DT2005"),
            (&[text("2024-13-01"), text("YYYY-MM-DD")], "DT2005"),
            (&[text("2024-01-01 x"), text("YYYY-MM-DD")], "DT2005"),
            (&[text("nonsense"), text("YYYY-MM-DD")], "DT2005"),
            (&[ScalarValue::Float64(Some(1_284_352_323.5))], "2010-09-13 04:32:03.5+00"),
            (&[integer(0)], "1970-01-01 00:00:00+00"),
            (&[ScalarValue::Float64(Some(1e300))], "DT2005"),
            (&[text("2024-02-29 13:04:05")], "2024-02-29 13:04:05"),
        ],
        &[],
    );
    check(
        "to_date",
        &[(&[text("29 February 2024"), text("DD Month YYYY")], "2024-02-29"), (&[text("2024-02-29")], "2024-02-29")],
        &[],
    );
    check(
        "to_timestamp_ltz",
        &[(&[integer(1500), integer(3)], "1970-01-01 00:00:01.5+00"), (&[integer(1), integer(9)], "DT2005")],
        &[],
    );
}

#[test]
fn fields_of_times_are_those_of_postgresql() {
    let leap = timestamp(LEAP);
    for (field, wanted) in [
        ("year", "2024"),
        ("quarter", "1"),
        ("MONTH", "2"),
        ("week", "9"),
        ("day", "29"),
        ("dow", "4"),
        ("isodow", "4"),
        ("doy", "60"),
        ("hour", "13"),
        ("minute", "4"),
        ("second", "5.678900"),
        ("milliseconds", "5678.900"),
        ("microseconds", "5678900"),
        ("epoch", "1709211845.678900"),
        ("century", "21"),
        ("decade", "202"),
        ("millennium", "3"),
        ("isoyear", "2024"),
    ] {
        assert_eq!(of("date_part", &[text(field), leap.clone()], &[0]), wanted, "{field}");
    }
    let before_christ = ScalarValue::Date32(Some(-719_529));
    assert_eq!(of("date_part", &[text("year"), before_christ.clone()], &[0]), "-2");
    assert_eq!(of("date_part", &[text("century"), before_christ], &[0]), "-1");
    let interval =
        ScalarValue::IntervalMonthDayNano(Some(arrow::datatypes::IntervalMonthDayNano::new(14, 3, 90_061_500_000_000)));
    for (field, wanted) in
        [("year", "1"), ("month", "2"), ("day", "3"), ("hour", "25"), ("second", "1.500000"), ("epoch", "37090861.500000")]
    {
        assert_eq!(of("date_part", &[text(field), interval.clone()], &[0]), wanted, "{field}");
    }
    assert!(of("date_part", &[text("fortnight"), leap], &[0]).starts_with("refused"));
    assert!(of("date_part", &[text("week"), interval], &[0]).starts_with("refused"));
}

#[test]
fn times_are_added_and_compared() {
    let (leap, new_year) = (timestamp(LEAP), timestamp(1_704_067_200_000_000));
    check(
        "age",
        &[
            (&[leap.clone(), new_year.clone()], "1 mon 28 days 13:04:05.6789"),
            (&[new_year.clone(), new_year.clone()], "00:00:00"),
        ],
        &[],
    );
    check(
        "timestampadd",
        &[
            (&[text("month"), integer(12), leap.clone()], "2025-02-28 13:04:05.6789"),
            (&[text("sql_tsi_hour"), integer(-1), new_year.clone()], "2023-12-31 23:00:00"),
            (&[text("day"), integer(1), ScalarValue::Date32(Some(0))], "1970-01-02"),
            (&[text("hour"), integer(25), ScalarValue::Date32(Some(0))], "1970-01-02 01:00:00"),
            (&[text("year"), integer(i64::MAX), leap.clone()], "DT2005"),
        ],
        &[0],
    );
    check(
        "timestampdiff",
        &[
            (&[text("month"), new_year.clone(), leap.clone()], "1"),
            (&[text("month"), leap.clone(), new_year.clone()], "-1"),
            (&[text("day"), new_year.clone(), leap.clone()], "59"),
            (&[text("minute"), leap.clone(), new_year.clone()], "-85744"),
        ],
        &[0],
    );
    check(
        "datediff",
        &[(&[text("year"), timestamp(-1), timestamp(0)], "1"), (&[text("week"), new_year.clone(), leap.clone()], "8")],
        &[0],
    );
    check("datediff", &[(&[leap.clone(), new_year.clone()], "59")], &[]);
    check("last_day", &[(std::slice::from_ref(&leap), "2024-02-29"), (&[new_year], "2024-01-31")], &[]);
    check(
        "date_floor",
        &[
            (&[text("hour"), leap.clone()], "2024-02-29 13:00:00"),
            (&[text("week"), leap.clone()], "2024-02-26 00:00:00"),
            (&[text("century"), leap.clone()], "2000-01-01 00:00:00"),
        ],
        &[0],
    );
    check(
        "date_ceil",
        &[(&[text("day"), leap.clone()], "2024-03-01 00:00:00"), (&[text("year"), ScalarValue::Date32(Some(0))], "1970-01-01")],
        &[0],
    );
    check(
        "make_timestamp",
        &[
            (
                &[integer(2024), integer(2), integer(29), integer(13), integer(4), ScalarValue::Float64(Some(5.6789))],
                "2024-02-29 13:04:05.6789",
            ),
            (&[integer(2023), integer(2), integer(29), integer(0), integer(0), ScalarValue::Float64(Some(0.0))], "DT2005"),
        ],
        &[],
    );
    check("make_interval", &[(&[integer(1), integer(2), integer(3)], "1 year 2 mons 21 days")], &[]);
}

#[test]
fn zones_change_clocks() {
    let utc = |micros: i64| ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into()));
    // 2024-07-01 12:00:00 and the two odd hours of New York in 2024.
    let (summer, gap, twice) = (1_719_835_200_000_000, 1_710_037_800_000_000, 1_730_597_400_000_000);
    check(
        "timezone",
        &[
            (&[text("Europe/Paris"), utc(summer)], "2024-07-01 14:00:00"),
            (&[text("Europe/Paris"), timestamp(summer)], "2024-07-01 10:00:00+00"),
            (&[text("+05:30"), utc(summer)], "2024-07-01 17:30:00"),
            (&[text("utc"), timestamp(summer)], "2024-07-01 12:00:00+00"),
            (&[text("America/New_York"), timestamp(gap)], "2024-03-10 07:30:00+00"),
            (&[text("America/New_York"), timestamp(twice)], "2024-11-03 06:30:00+00"),
        ],
        &[],
    );
    assert!(of("timezone", &[text("Mars/Olympus"), timestamp(0)], &[0]).starts_with("refused"));
}

#[test]
fn regular_expressions() {
    let url = text("https://a.org/x?channel_id=7&channel_id=8");
    check(
        "regexp_like",
        &[
            (&[url.clone(), text("CHANNEL")], "false"),
            (&[url.clone(), text("CHANNEL"), text("i")], "true"),
            (&[url.clone(), text("(")], "DT2005"),
        ],
        &[],
    );
    check(
        "regexp_extract",
        &[
            (&[url.clone(), text("channel_id=([0-9])"), integer(1)], "7"),
            (&[url.clone(), text("channel_id=")], "channel_id="),
            (&[url.clone(), text("nothing"), integer(1)], "NULL"),
            (&[url.clone(), text("a"), integer(1)], "DT2005"),
        ],
        &[],
    );
    check(
        "regexp_match",
        &[(&[url.clone(), text("(&|\\?)channel_id=([0-9])")], "{?,7}"), (&[url.clone(), text("zzz")], "NULL")],
        &[],
    );
    check(
        "regexp_replace",
        &[
            (&[text("a1b22"), text("([0-9]+)"), text("<\\1>")], "a<1>b22"),
            (&[text("a1b22"), text("[0-9]+"), text("[\\&]"), text("g")], "a[1]b[22]"),
        ],
        &[],
    );
    check("regexp_count", &[(&[url.clone(), text("channel")], "2"), (&[text("äa"), text("a"), integer(2)], "1")], &[]);
    check("regexp_substr", &[(&[url.clone(), text("id=([0-9])"), integer(1), integer(2), text(""), integer(1)], "8")], &[]);
    check(
        "regexp_instr",
        &[
            (&[text("äbc"), text("b")], "2"),
            (&[text("abc"), text("x")], "0"),
            (&[text("abcb"), text("b"), integer(1), integer(2), integer(1)], "5"),
        ],
        &[],
    );
    check("regexp_split_to_array", &[(&[text("a, b,c"), text(",\\s*")], "{a,b,c}"), (&[text("ab"), text("")], "{a,b}")], &[]);
    check("regexp_extract_all", &[(&[url, text("id=([0-9])"), integer(1)], "{7,8}")], &[]);
    check(
        "similar_to_escape",
        &[(&[text("a%(b|c)_.")], "^(?s:a.*(b|c).\\.)$"), (&[text("10#%%"), text("#")], "^(?s:10%.*)$")],
        &[],
    );
    check(
        "like_escape",
        &[(&[text("10#%%"), text("#")], "10\\%%"), (&[text("a\\b"), text("#")], "a\\\\b"), (&[text("a#"), text("#")], "DT2005")],
        &[],
    );
}

#[test]
fn texts_and_numbers() {
    check(
        "split_index",
        &[
            (&[text("a/b/c"), text("/"), integer(1)], "b"),
            (&[text("a/b"), text("/"), integer(2)], "NULL"),
            (&[text("a"), text(""), integer(0)], "NULL"),
        ],
        &[],
    );
    check(
        "locate",
        &[(&[text("b"), text("äbab")], "2"), (&[text("b"), text("abab"), integer(3)], "4"), (&[text("x"), text("ab")], "0")],
        &[],
    );
    check(
        "format",
        &[
            (&[text("%s %I %L %2$s %%"), text("a"), text("B c"), text("it's")], "a \"B c\" 'it''s' B c %"),
            (&[text("%s")], "DT2005"),
        ],
        &[],
    );
    check(
        "encode",
        &[(&[text("ab"), text("hex")], "6162"), (&[text("a"), text("base64")], "YQ=="), (&[text("a"), text("x")], "DT2005")],
        &[],
    );
    check("decode", &[(&[text("6162"), text("hex")], "\\x6162"), (&[text("6"), text("hex")], "DT2005")], &[]);
    check("url_encode", &[(&[text("a b&ü")], "a+b%26%C3%BC")], &[]);
    check("url_decode", &[(&[text("a+b%26%C3%BC")], "a b&ü"), (&[text("%zz")], "DT2005")], &[]);
    check("is_decimal", &[(&[text("-1.5")], "true"), (&[text("1x")], "false")], &[]);
    check("typeof", &[(&[integer(1)], "BIGINT"), (&[text("a")], "VARCHAR")], &[]);
    check(
        "div",
        &[
            (&[integer(-7), integer(2)], "-3"),
            (&[integer(1), integer(0)], "DT2005"),
            (&[decimal(75, 3, 1), decimal(2, 1, 0)], "3"),
            (&[ScalarValue::Float64(Some(7.5)), integer(2)], "3.0"),
        ],
        &[],
    );
    let double = |value: f64| ScalarValue::Float64(Some(value));
    check(
        "width_bucket",
        &[
            (&[double(5.35), double(0.024), double(10.06), integer(5)], "3"),
            (&[double(-1.0), double(0.0), double(1.0), integer(2)], "0"),
            (&[double(1.0), double(0.0), double(1.0), integer(2)], "3"),
            (&[double(1.0), double(0.0), double(0.0), integer(2)], "DT2005"),
        ],
        &[],
    );
}

#[test]
fn json_values() {
    let json = text(r#"{"a": {"b": [1, null, "x"]}, "n": 1.50}"#);
    check("jsonb", &[(std::slice::from_ref(&json), r#"{"a":{"b":[1,null,"x"]},"n":1.5}"#), (&[text("{")], "DT2005")], &[]);
    check("json", &[(&[text("[1, 2]")], "[1, 2]"), (&[text("[1, 2")], "DT2005")], &[]);
    check("try_jsonb", &[(&[text("{")], "NULL"), (&[text("1.0")], "1")], &[]);
    check(
        "json_get",
        &[
            (&[json.clone(), text("a")], r#"{"b": [1, null, "x"]}"#),
            (&[json.clone(), text("z")], "NULL"),
            (&[text("[1,2]"), integer(-1)], "2"),
            (&[text("x"), text("a")], "DT2005"),
        ],
        &[],
    );
    check(
        "json_get_text",
        &[
            (&[text(r#"{"a":"q\"\n"}"#), text("a")], "q\"\n"),
            (&[text(r#"{"a":null}"#), text("a")], "NULL"),
            (&[json.clone(), text("n")], "1.50"),
        ],
        &[],
    );
    check(
        "json_get_path",
        &[
            (&[json.clone(), text("{a,b,2}")], "\"x\""),
            (&[json.clone(), text("{}")], r#"{"a": {"b": [1, null, "x"]}, "n": 1.50}"#),
        ],
        &[],
    );
    check(
        "json_get_path_text",
        &[
            (&[json.clone(), text("{a,b,2}")], "x"),
            (&[json.clone(), text("{a,b,1}")], "NULL"),
            (&[json.clone(), text("{a,z}")], "NULL"),
        ],
        &[],
    );
    check("json_extract_path_text", &[(&[json.clone(), text("a"), text("b"), text("0")], "1")], &[]);
    check(
        "json_value",
        &[
            (&[json.clone(), text("$.a.b[2]")], "x"),
            (&[json.clone(), text("$.a")], "NULL"),
            (&[text("{"), text("$.a")], "NULL"),
            (&[json.clone(), text("$.")], "DT2005"),
        ],
        &[],
    );
    check(
        "json_query",
        &[(&[json.clone(), text("$.a.b")], r#"[1, null, "x"]"#), (&[json.clone(), text("$.a.b[*]")], "NULL")],
        &[],
    );
    check("json_exists", &[(&[json.clone(), text("$.a.b[1]")], "true"), (&[json.clone(), text("$.a.c")], "false")], &[]);
    check("jsonb_contains", &[(&[json.clone(), text(r#"{"n": 1.5}"#)], "true"), (&[json.clone(), text("[1]")], "false")], &[]);
    check("jsonb_typeof", &[(std::slice::from_ref(&json), "object"), (&[text(" -1")], "number")], &[]);
    check("jsonb_array_length", &[(&[text("[1,[2,3]]")], "2"), (std::slice::from_ref(&json), "DT2005")], &[]);
    check(
        "jsonb_set",
        &[
            (&[json.clone(), text("{a,b,0}"), text("9")], r#"{"a":{"b":[9,null,"x"]},"n":1.5}"#),
            (&[text("{}"), text("{a}"), text("1")], r#"{"a":1}"#),
            (&[text("{}"), text("{a}"), text("1"), ScalarValue::Boolean(Some(false))], "{}"),
        ],
        &[],
    );
    check(
        "jsonb_concat",
        &[(&[text(r#"{"a":1}"#), text(r#"{"a":2}"#)], r#"{"a":2}"#), (&[text("[1]"), text("2")], "[1,2]")],
        &[],
    );
    check("jsonb_strip_nulls", &[(&[text(r#"{"a":null,"b":[null]}"#)], r#"{"b":[null]}"#)], &[]);
    check(
        "jsonb_build_object",
        &[(&[text("b"), integer(1), text("a"), timestamp(0)], r#"{"a":"1970-01-01T00:00:00","b":1}"#)],
        &[],
    );
    check("jsonb_build_array", &[(&[integer(1), text("a"), ScalarValue::Boolean(None)], r#"[1,"a",null]"#)], &[]);
    check("to_jsonb", &[(&[decimal(150, 5, 2)], "1.5"), (&[ScalarValue::Float64(Some(f64::NAN))], "\"NaN\"")], &[]);
}
