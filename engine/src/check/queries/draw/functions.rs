//! Scalar functions and operators by the type of their result, as templates.
//!
//! A template has a `?` for each argument, and beside it a letter for the type of each. What a function yields is cast where systems differ in the type, so
//! that a query has the columns that were asked for. Functions that fail for most texts are left out: a row that fails shows little.

use super::super::tree::Type;

/// A call, and the types of its arguments.
pub(super) type Template = (&'static str, &'static str);

/// The type that a letter stands for.
pub(super) fn type_of(letter: char) -> Type {
    match letter {
        'B' => Type::Bool,
        'i' => Type::Int,
        'b' => Type::Big,
        'n' => Type::Decimal,
        'f' => Type::Double,
        't' => Type::Text,
        'd' => Type::Date,
        'a' => Type::Numbers,
        _ => Type::Timestamp,
    }
}

/// The name of the function that a template calls; `None` of an operator.
pub(super) fn name(template: &'static str) -> Option<&'static str> {
    let mut calls = template.split_inclusive('(').filter_map(|before| before.strip_suffix('('));
    calls.find_map(|before| {
        let start = before.rfind(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '_').map_or(0, |at| at + 1);
        Some(&before[start..]).filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
    })
}

/// The templates of results of type `ty`, but for predicates.
pub(super) fn templates(ty: Type) -> &'static [Template] {
    match ty {
        Type::Bool => PREDICATES,
        Type::Int => INTS,
        Type::Big => BIGS,
        Type::Decimal => DECIMALS,
        Type::Double => DOUBLES,
        Type::Text => TEXTS,
        Type::Date => DATES,
        Type::Timestamp => TIMESTAMPS,
        Type::Numbers => NUMBERS,
    }
}

const PREDICATES: &[Template] = &[
    ("(? LIKE 'k%')", "t"),
    ("(? LIKE ?)", "tt"),
    ("(? ILIKE '%A%')", "t"),
    ("(? SIMILAR TO '(a|k)%')", "t"),
    ("starts_with(?, ?)", "tt"),
    ("ends_with(?, '1')", "t"),
    ("contains(?, ?)", "tt"),
    ("regexp_like(?, '^[a-k]?[0-9]')", "t"),
    ("is_digit(?)", "t"),
    ("is_decimal(?)", "t"),
    ("is_json(?)", "t"),
    ("isnan(?)", "f"),
    ("(? = ANY (?))", "ba"),
    ("(? <> ALL (?))", "ba"),
    ("array_has(?, ?)", "ab"),
    ("array_has_any(?, ?)", "aa"),
    ("((?, ?) < (?, ?))", "bbbb"),
    ("((?, ?) = (?, ?))", "btbt"),
    ("((?, ?) IS DISTINCT FROM (?, ?))", "ibib"),
    ("jsonb_exists(jsonb_build_object('k', ?), 'k')", "b"),
    ("(to_jsonb(?) @> to_jsonb(?))", "ab"),
    ("json_exists(jsonb_build_object('a', ?), '$.a')", "t"),
    ("(MAP {'a': ?, 'b': ?} = MAP {'a': ?, 'b': ?})", "bibi"),
    ("(MAP {1: ?} < MAP {1: ?})", "tt"),
    ("map_contains_key(MAP {'k1': ?, '4': 0}, ?)", "bt"),
];

const INTS: &[Template] = &[
    ("abs(?)", "i"),
    ("(- ?)", "i"),
    ("(? + ?)", "ii"),
    ("CAST(? AS INT)", "b"),
    ("(?)::INT", "n"),
    ("CAST(length(?) AS INT)", "t"),
    ("CAST(octet_length(?) AS INT)", "t"),
    ("CAST(ascii(?) AS INT)", "t"),
    ("CAST(strpos(?, 'k') AS INT)", "t"),
    ("CAST(locate(?, ?) AS INT)", "tt"),
    ("CAST(levenshtein(?, ?) AS INT)", "tt"),
    ("CAST(regexp_count(?, '[a-z]') AS INT)", "t"),
    ("CAST(regexp_instr(?, '[0-9]') AS INT)", "t"),
    ("CAST(extract(month FROM ?) AS INT)", "d"),
    ("CAST(extract(minute FROM ?) AS INT)", "s"),
    ("CAST(date_part('dow', ?) AS INT)", "d"),
    ("CAST(bit_count(?) AS INT)", "b"),
    ("CAST(sign(?) AS INT)", "i"),
    ("CAST(width_bucket(?, 0, 10, 5) AS INT)", "i"),
    ("CAST(num_nulls(?, ?) AS INT)", "bt"),
    ("CAST(num_nonnulls(?, ?, ?) AS INT)", "btd"),
    ("greatest(?, ?)", "ii"),
    ("least(?, ?)", "ii"),
    ("CAST(cardinality(?) AS INT)", "a"),
    ("CAST(jsonb_array_length(to_jsonb(?)) AS INT)", "a"),
    ("CAST(cardinality(MAP {'a': ?, 'b': ?}) AS INT)", "bb"),
    ("TRY_CAST(? AS INT)", "t"),
    ("CAST(? AS INT)", "B"),
];

const BIGS: &[Template] = &[
    ("(? + ?)", "bb"),
    ("(? - ?)", "bi"),
    ("(? * ?)", "ib"),
    ("(? % NULLIF(?, 0))", "bb"),
    ("(? / 2)", "b"),
    ("(? / ?)", "bb"),
    ("(? & ?)", "bb"),
    ("CAST(div(?, 3) AS BIGINT)", "b"),
    ("CAST(gcd(?, 12) AS BIGINT)", "b"),
    ("CAST(round(?) AS BIGINT)", "n"),
    ("CAST(extract(year FROM ?) AS BIGINT)", "d"),
    ("CAST(extract(epoch FROM ?) AS BIGINT)", "s"),
    ("CAST(length(?) AS BIGINT)", "t"),
    ("CAST(unix_timestamp(?) AS BIGINT)", "s"),
    ("CAST(timestampdiff(SECOND, ?, ?) AS BIGINT)", "ss"),
    ("CAST(datediff(?, ?) AS BIGINT)", "dd"),
    ("TRY_CAST(? AS BIGINT)", "t"),
    ("CAST(to_jsonb(?) ->> 0 AS BIGINT)", "a"),
    ("CAST(jsonb_build_object('a', ?) ->> 'a' AS BIGINT)", "b"),
    ("(?)[1]", "a"),
    ("CAST(array_length(?) AS BIGINT)", "a"),
    ("CAST(array_position(?, ?) AS BIGINT)", "ab"),
    ("array_max(?)", "a"),
    ("MAP {'a': ?, 'b': ?}['b']", "bb"),
    ("MAP {'k1': ?, '4': ?}[?]", "bbt"),
    ("greatest(?, ?)", "bb"),
    ("least(?, ?)", "bi"),
];

const DECIMALS: &[Template] = &[
    ("(? + ?)", "nn"),
    ("(? - ?)", "nn"),
    ("abs(?)", "n"),
    ("CAST(? AS DECIMAL(12, 2))", "i"),
    ("CAST(? * ? AS DECIMAL(12, 2))", "nn"),
    ("CAST(? / NULLIF(?, 0) AS DECIMAL(12, 2))", "nn"),
    ("CAST(round(?, 1) AS DECIMAL(12, 2))", "n"),
    ("CAST(trunc(?) AS DECIMAL(12, 2))", "n"),
    ("CAST(ceil(?) AS DECIMAL(12, 2))", "n"),
    ("CAST(mod(?, 2) AS DECIMAL(12, 2))", "n"),
    ("greatest(?, ?)", "nn"),
    ("CAST(extract(second FROM ?) AS DECIMAL(12, 2))", "s"),
];

const DOUBLES: &[Template] = &[
    ("(? + ?)", "ff"),
    ("(? * ?)", "ff"),
    ("(? / ?)", "ff"),
    ("(- ?)", "f"),
    ("CAST(? AS DOUBLE)", "i"),
    ("CAST(? AS DOUBLE)", "n"),
    ("sqrt(abs(?))", "f"),
    ("floor(?)", "f"),
    ("round(?)", "f"),
    ("power(?, 2)", "f"),
    ("sin(?)", "f"),
    ("exp(least(?, 3))", "f"),
    ("nanvl(?, ?)", "ff"),
    ("greatest(?, ?)", "ff"),
    ("TRY_CAST(? AS DOUBLE)", "t"),
];

const TEXTS: &[Template] = &[
    ("(? || ?)", "tt"),
    ("upper(?)", "t"),
    ("lower(?)", "t"),
    ("initcap(?)", "t"),
    ("reverse(?)", "t"),
    ("trim(?)", "t"),
    ("ltrim(?, 'a')", "t"),
    ("substr(?, 1, 2)", "t"),
    ("substring(? FROM '[0-9]+')", "t"),
    ("left(?, 2)", "t"),
    ("right(?, -1)", "t"),
    ("lpad(?, 5, '.')", "t"),
    ("repeat(?, 2)", "t"),
    ("replace(?, 'k', '')", "t"),
    ("translate(?, 'k1', 'x')", "t"),
    ("overlay(? PLACING 'zz' FROM 2)", "t"),
    ("concat(?, ?)", "tb"),
    ("concat_ws('-', ?, ?)", "tt"),
    ("format('%s=%s', ?, ?)", "tb"),
    ("split_part(?, '-', 2)", "t"),
    ("split_index(?, '-', 0)", "t"),
    ("regexp_replace(?, '[0-9]', '#', 'g')", "t"),
    ("regexp_extract(?, '([a-z]+)([0-9]*)', 2)", "t"),
    ("regexp_substr(?, '[a-z]+')", "t"),
    ("encode(?, 'hex')", "t"),
    ("url_encode(?)", "t"),
    ("quote_literal(?)", "t"),
    ("to_char(?, 'YYYY-MM-DD HH24:MI:SS.MS')", "s"),
    ("to_char(?, 'Dy DD Mon YYYY')", "d"),
    ("to_char(?, 'FM999,990.00')", "n"),
    ("date_format(?, 'yyyy-MM-dd HH:mm')", "s"),
    ("CAST(? AS VARCHAR)", "i"),
    ("CAST(? AS VARCHAR)", "d"),
    ("CAST(? AS VARCHAR)", "n"),
    ("(?)::VARCHAR", "f"),
    ("CAST(? AS VARCHAR)", "B"),
    ("(?)::VARCHAR", "s"),
    ("CAST(age(?, ?) AS VARCHAR)", "ss"),
    ("to_hex(?)", "b"),
    ("array_to_string(?, ',')", "a"),
    ("CAST(MAP {'b': ?, 'a': ?} AS VARCHAR)", "tt"),
    ("CAST(to_jsonb(?) AS VARCHAR)", "a"),
    ("(jsonb_build_object('a', ?, 'b', ?) ->> 'b')", "bt"),
    ("jsonb_typeof(to_jsonb(?))", "n"),
    ("json_value(jsonb_build_array(?, ?), '$[1]')", "tf"),
    ("CAST(jsonb_set(jsonb_build_object('a', ?), '{a}', to_jsonb(?)) AS VARCHAR)", "ts"),
];

const DATES: &[Template] = &[
    ("CAST(? AS DATE)", "s"),
    ("COALESCE(?, ?)", "dd"),
    ("last_day(?)", "d"),
    ("CAST(? + INTERVAL '1' DAY AS DATE)", "d"),
    ("CAST(date_trunc('month', ?) AS DATE)", "d"),
    ("greatest(?, ?)", "dd"),
    ("to_date(to_char(?, 'YYYY-MM-DD'), 'YYYY-MM-DD')", "d"),
];

const TIMESTAMPS: &[Template] = &[
    ("date_trunc('minute', ?)", "s"),
    ("date_trunc('day', ?)", "s"),
    ("(? + INTERVAL '1' HOUR)", "s"),
    ("(? - INTERVAL '3' SECOND)", "s"),
    ("(? + INTERVAL '1' MONTH)", "s"),
    ("CAST(? AS TIMESTAMP)", "d"),
    ("CAST(floor(? TO HOUR) AS TIMESTAMP)", "s"),
    ("CAST(ceil(? TO MONTH) AS TIMESTAMP)", "s"),
    ("CAST(timestampadd(MINUTE, ?, ?) AS TIMESTAMP)", "is"),
    ("date_bin(INTERVAL '5' SECOND, ?)", "s"),
    ("CAST(to_timestamp(?) AS TIMESTAMP)", "b"),
    ("least(?, ?)", "ss"),
    ("make_timestamp(2000, 1, 31, 12, 0, ?)", "f"),
];

const NUMBERS: &[Template] = &[
    ("CAST(ARRAY[?, ?] AS BIGINT[])", "bb"),
    ("CAST(ARRAY[?] AS BIGINT[])", "i"),
    ("array_append(?, ?)", "ab"),
    ("array_prepend(?, ?)", "ba"),
    ("array_concat(?, ?)", "aa"),
    ("array_distinct(?)", "a"),
    ("array_sort(?)", "a"),
    ("array_reverse(?)", "a"),
    ("array_remove_all(?, ?)", "ab"),
    ("array_slice(?, 1, 2)", "a"),
    ("array_union(?, ?)", "aa"),
    ("array_except(?, ?)", "aa"),
    ("map_values(MAP {1: ?, 2: ?})", "bb"),
    ("CAST(map_keys(map([?], ['x'])) AS BIGINT[])", "b"),
];
