import { expect, test } from 'vitest';
import { ExaminationBudget, isRefusal, type Examination } from './examination-budget.ts';

const clock = { at: 1000, now: () => clock.at, monotonic: () => clock.at };
const ADDRESS = '203.0.113.7';

function budgetOf(perAddress: string, overall: string): ExaminationBudget {
  return new ExaminationBudget({ perAddress, overall, clock });
}
function entered(budget: ExaminationBudget, address: string | undefined): Examination | undefined {
  const answer = budget.enterToken(address);
  return isRefusal(answer) ? undefined : answer;
}

test('an address is known for ten minutes after a good credential, and a stranger after that', () => {
  const budget = budgetOf('1000/1d', '10/1d');
  const good = entered(budget, ADDRESS);
  expect(good?.lane).toBe('strangers');
  budget.settleToken(good!, 'good');
  expect(entered(budget, ADDRESS)?.lane).toBe('known');
  clock.at += 599_000;
  expect(entered(budget, ADDRESS)?.lane).toBe('known');
  clock.at += 1001;
  expect(entered(budget, ADDRESS)?.lane).toBe('strangers');
});

test('a bad or neutral finding makes nobody known', () => {
  const budget = budgetOf('1000/1d', '1000/1d');
  for (const finding of ['bad', 'neutral'] as const) {
    budget.settleToken(entered(budget, ADDRESS)!, finding);
    expect(entered(budget, ADDRESS)?.lane).toBe('strangers');
  }
});

test('an address that sends nothing but good credentials spends nothing of its own', () => {
  const budget = budgetOf('5/1d', '1000/1d');
  for (let n = 0; n < 100; n++) budget.settleToken(entered(budget, ADDRESS)!, 'good');
  for (let n = 0; n < 5; n++) budget.settleToken(entered(budget, ADDRESS)!, 'neutral');
  expect(entered(budget, ADDRESS)).toBeUndefined();
});

test('one who is over the budget of all takes nothing of his own', () => {
  const budget = budgetOf('5/1d', '3/1d');
  for (let n = 0; n < 3; n++) expect(entered(budget, undefined)).toBeDefined();
  for (let n = 0; n < 50; n++) expect(entered(budget, ADDRESS)).toBeUndefined();
  clock.at += 86_400_000;
  expect([1, 2, 3].map(() => entered(budget, ADDRESS) !== undefined)).toEqual([true, true, true]);
  expect(budget.refused).toBe(50);
});

test('a session that was not read for another reason than that there is none costs nothing', () => {
  const budget = budgetOf('10/1d', '10/1d');
  for (let n = 0; n < 100; n++) {
    const examination = budget.enterSession('session_token', `s${n}`, ADDRESS);
    expect(examination !== undefined && isRefusal(examination)).toBe(false);
    budget.settleSession(examination as Examination, `s${n}`, n % 2 === 0 ? 'good' : 'neutral');
  }
  // Found a moment ago: not asked any more.
  expect(budget.enterSession('session_token', 's98', undefined)).toBeUndefined();
  expect(budget.enterSession('session_token', 's99', ADDRESS)).toBeDefined();
});
