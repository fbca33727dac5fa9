"""A column that is not recorded in any row: which one it is, is said."""

from hospital_folder import register, table


def test_a_column_that_is_never_recorded_is_named(tmp_path):
    done = register(tmp_path, table(*(f"p{i},30,NA,F,f,{'E' if i % 2 else '-'}" for i in range(6))))
    assert "6 rows, 6 can be used (3 positive)." in done.words
    assert "WARNING: TSH: not recorded in any of the rows that can be used" in done.words
    assert "sex: not recorded" not in done.words


def test_a_column_that_is_recorded_once_is_not(tmp_path):
    done = register(tmp_path, table("p1,30,NA,F,f,E", "p2,30,1,F,f,-"))
    assert "not recorded in any" not in done.words


def test_a_column_that_must_be_recorded_and_is_not_stands_in_the_reasons(tmp_path):
    done = register(tmp_path, table("p1,,1,F,f,E", "p2,NA,1,F,f,-"))
    assert "2 set aside (age: not recorded)" in done.words
    assert "WARNING: NO ROW of your table can be used" in done.words
