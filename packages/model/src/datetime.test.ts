import { expect, test } from 'vitest';
import { formatDatetime, parseDatetime } from './datetime.ts';

test('RFC 3339 datetimes agree with the JavaScript clock', () => {
  for (const text of [
    '1970-01-01T00:00:00Z',
    '2020-02-29T23:59:59.123Z',
    '1999-12-31T10:00:00-08:30',
    '0001-01-01T00:00:00Z',
  ])
    expect(parseDatetime(text), text).toBe(new Date(text).getTime() * 1_000);
});

test('dates, short forms and missing zones are UTC', () => {
  const day = Date.UTC(2020, 0, 1) * 1_000;
  for (const text of [
    '2020-01-01',
    '2020-1-1',
    '2020-01-01 00:00',
    '2020-01-01T02:00:00+02',
    '2020-01-01 00:00:00 UTC',
  ])
    expect(parseDatetime(text), text).toBe(day);
  expect(parseDatetime('2020-01-01 00:00:00.0000019')).toBe(day + 1);
});

test('what is no datetime is null', () => {
  for (const text of [
    '',
    'x',
    '20200101',
    '2020-01',
    '2020-13-01',
    '2021-02-29',
    '2020-01-01T24:00',
    '2020-01-01T10:00Z',
    '2020-01-01Z',
  ])
    expect(parseDatetime(text), text).toBeNull();
});

test('printing gives back what was read, from the year 1700 to 2250', () => {
  for (let year = 1700; year <= 2250; year += 7) {
    const micros = Date.UTC(year, year % 12, 1 + (year % 28), year % 24, 30, 15) * 1_000 + (year % 3) * 1_234;
    expect(parseDatetime(formatDatetime(micros))).toBe(micros);
  }
  expect(formatDatetime(0)).toBe('1970-01-01T00:00:00Z');
});
