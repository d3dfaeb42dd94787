// The kernel player: goes through a recorded run, step by step.
//
// The element comes with a strip, a table and its data; without this script the first two are what there is. All states,
// words and questions are in the data, made by the program that builds the book. So this only shows the step that the
// reader is at. No part of it is shared by the players of a page.

'use strict';

(() => {
  const SECONDS_PER_STEP = 1.6;
  const SECONDS_PER_QUESTION = 5;

  // Twenty by twenty, in the colour of the text.
  const ICONS = {
    first: 'M3 4h2v12H3zM15 3l1.5 1.5L11 10l5.5 5.5L15 17l-7-7z',
    back: 'M13 3l1.5 1.5L9 10l5.5 5.5L13 17l-7-7z',
    play: 'M6 3v14l11-7z',
    pause: 'M5 4h4v12H5zM11 4h4v12h-4z',
    forward: 'M7 3L5.5 4.5 11 10l-5.5 5.5L7 17l7-7z',
    last: 'M17 4h-2v12h2zM5 3L3.5 4.5 9 10l-5.5 5.5L5 17l7-7z',
  };

  const motionless = window.matchMedia('(prefers-reduced-motion: reduce)');

  function make(name, attributes = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  }

  function icon(name) {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    svg.setAttribute('viewBox', '0 0 20 20');
    svg.setAttribute('aria-hidden', 'true');
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    path.setAttribute('d', ICONS[name]);
    svg.append(path);
    return svg;
  }

  class KernelPlayer extends HTMLElement {
    connectedCallback() {
      // It may be moved within the page; it is built once.
      if (this.data) {
        return;
      }
      this.data = JSON.parse(this.querySelector('script').textContent);
      this.place = 0;
      this.asking = false;
      this.answered = new Map();
      this.timer = null;
      this.build();
      this.show(0);
    }

    disconnectedCallback() {
      this.pause();
    }

    // What there is to see.

    build() {
      const { title, regions } = this.data;
      this.classList.add('kp-live');
      this.stage = make('div', { class: 'kp-stage', role: 'group', tabindex: '0', 'aria-label': `${title}: player` });

      this.when = make('p', { class: 'kp-when' });
      this.text = make('p', { class: 'kp-text', role: 'status', 'aria-live': 'off', 'aria-atomic': 'true' });
      this.question = make('div', { class: 'kp-question', role: 'group', 'aria-label': 'Answers' });
      this.question.hidden = true;

      this.lists = regions.map(([name]) => {
        const list = make('ul', { 'aria-label': name });
        const region = make('div', { class: 'kp-region' }, make('div', { class: 'kp-name', 'aria-hidden': 'true' }, name), list);
        region.dataset.region = name;
        return list;
      });
      const parts = make('div', { class: 'kp-regions' }, ...this.lists.map((list) => list.parentElement));
      if (this.data.said.length > 0) {
        this.said = make('ul', { class: 'kp-said', 'aria-label': 'What was said' });
        const name = make('div', { class: 'kp-name', 'aria-hidden': 'true' }, 'What was said');
        parts.append(make('div', { class: 'kp-region kp-says' }, name, this.said));
      }

      this.buttons = {
        first: this.button('first', 'First step', 'Home', () => this.go(0)),
        back: this.button('back', 'Step back', '←', () => this.back()),
        play: this.button('play', 'Play', 'Space', () => this.toggle()),
        forward: this.button('forward', 'Step forward', '→', () => this.forward()),
        last: this.button('last', 'Last step', 'End', () => this.go(this.last)),
      };
      const controls = make('div', { class: 'kp-controls' }, ...Object.values(this.buttons), this.when);
      if (this.data.steps.some((step) => step.question)) {
        this.ask = make('input', { type: 'checkbox' });
        this.ask.checked = true;
        this.score = make('span', { class: 'kp-score' });
        const label = make('label', { class: 'kp-ask' }, this.ask, ' Ask me what comes next ', this.score);
        this.ask.addEventListener('change', () => this.go(this.place));
        controls.append(label);
      }

      const keys = make('p', { class: 'kp-keys' });
      keys.innerHTML = 'Keys, while the focus is here: <kbd>←</kbd> <kbd>→</kbd> a step, '
        + '<kbd>Home</kbd> <kbd>End</kbd> to the ends, <kbd>P</kbd> or <kbd>Space</kbd> plays.';

      this.stage.append(controls, this.text, this.question, parts);
      this.prepend(this.stage);

      this.strip = this.querySelector('.kp-strip');
      this.now = this.strip.querySelector('.now');
      this.now.setAttribute('visibility', 'visible');
      this.strip.addEventListener('click', (event) => this.jump(event));

      // The table stays, for those who would rather read, and for print. Its words come in attributes, out of the
      // search's sight; as text they can be copied.
      const table = this.querySelector('.kp-table');
      for (const cell of table.querySelectorAll('[data-text]')) {
        cell.textContent = cell.dataset.text;
        cell.removeAttribute('data-text');
      }
      const toggle = make('button', { type: 'button', class: 'kp-more', 'aria-expanded': 'false' }, 'All steps as a table');
      table.hidden = true;
      toggle.addEventListener('click', () => {
        table.hidden = !table.hidden;
        toggle.setAttribute('aria-expanded', String(!table.hidden));
      });
      table.before(keys, toggle);

      this.addEventListener('keydown', (event) => this.key(event));
    }

    button(name, label, key, action) {
      const button = make('button', { type: 'button', class: `kp-button kp-${name}`, 'aria-label': label, title: `${label} (${key})` }, icon(name));
      button.addEventListener('click', () => {
        if (name !== 'play') {
          this.pause();
        }
        action();
      });
      return button;
    }

    // Where we are.

    get last() {
      return this.data.steps.length - 1;
    }

    /** The question to answer before the next step, if there is one and the reader wants it. */
    get next() {
      const question = this.ask && this.ask.checked && this.data.steps[this.place + 1]?.question;
      return question && !this.answered.has(this.place + 1) ? question : null;
    }

    go(place) {
      this.asking = false;
      this.show(Math.max(0, Math.min(place, this.last)));
    }

    back() {
      // Back from a question is back to the step before which it is asked.
      this.go(this.asking ? this.place : this.place - 1);
    }

    /** A step on; but first its question. Who does not want to answer goes on without. */
    forward() {
      if (this.next && !this.asking) {
        this.asking = true;
        this.show(this.place);
      } else {
        this.go(this.place + 1);
      }
    }

    answer(choice) {
      const place = this.place + 1;
      const { question } = this.data.steps[place];
      this.answered.set(place, choice === question.right);
      this.asking = false;
      const verdict = choice === question.right ? 'Right' : 'Not quite';
      this.show(place, [`${verdict}: ${question.choices[question.right]}.`, question.because]);
      // The button that was pressed is gone.
      this.stage.focus();
    }

    // Playing.

    toggle() {
      if (this.timer !== null) {
        this.pause();
        return;
      }
      if (this.place === this.last) {
        this.go(0);
      }
      this.playing(true);
      this.schedule();
    }

    schedule() {
      const seconds = this.asking ? SECONDS_PER_QUESTION : SECONDS_PER_STEP;
      this.timer = setTimeout(() => {
        this.forward();
        if (this.place === this.last) {
          this.pause();
        } else {
          this.schedule();
        }
      }, seconds * 1000);
    }

    pause() {
      clearTimeout(this.timer);
      this.timer = null;
      this.playing(false);
    }

    playing(yes) {
      const { play } = this.buttons;
      const label = yes ? 'Pause' : 'Play';
      play.replaceChildren(icon(yes ? 'pause' : 'play'));
      play.setAttribute('aria-label', label);
      play.title = `${label} (Space)`;
      // Silent until it is used (a page may have several), and while it plays: a voice that is interrupted every second
      // says nothing.
      this.text.setAttribute('aria-live', yes ? 'off' : 'polite');
    }

    // Keys. The book has the arrows for its pages; within the player they are ours.

    key(event) {
      if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.target.closest('.kp-table')) {
        return;
      }
      const onControl = event.target.closest('button, input');
      const actions = {
        ArrowRight: () => this.forward(),
        ArrowLeft: () => this.back(),
        Home: () => this.go(0),
        End: () => this.go(this.last),
        p: () => this.toggle(),
      };
      if (!onControl) {
        actions[' '] = actions.p;
      }
      const choice = Number(event.key) - 1;
      if (this.asking && this.next.choices[choice]) {
        actions[event.key] = () => this.answer(choice);
      }
      const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!action) {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
      if (action !== actions.p) {
        this.pause();
      }
      action();
    }

    /** A click on the strip leads to that step. */
    jump(event) {
      const { start, column } = this.data.strip;
      const svg = this.strip.querySelector('svg');
      const box = svg.getBoundingClientRect();
      const x = (event.clientX - box.left) * (svg.viewBox.baseVal.width / box.width);
      const place = Math.floor((x - start) / column);
      if (place >= 0 && place <= this.last) {
        this.pause();
        this.go(place);
      }
    }

    // Showing.

    show(place, verdict = []) {
      const step = this.data.steps[place];
      const near = Math.abs(place - this.place) === 1;
      this.place = place;
      const before = near && !motionless.matches ? this.positions() : null;

      this.when.textContent = `Step ${place + 1} of ${this.last + 1}, ${step.when}`;
      this.text.textContent = [...verdict, step.text].filter(Boolean).join(' ');
      this.lists.forEach((list, region) => this.fill(list, step.regions[region], this.data.regions[region][1]));
      if (this.said) {
        const { said } = this.data;
        this.said.replaceChildren(...said.slice(0, step.said).map(([task, line]) => this.chip(task, line)));
        this.said.scrollTop = this.said.scrollHeight;
      }
      this.showQuestion();
      const { first, back, forward, last } = this.buttons;
      // Not `disabled`: the focus would be lost.
      for (const [button, end] of [[first, 0], [back, 0], [forward, this.last], [last, this.last]]) {
        button.setAttribute('aria-disabled', String(place === end && !this.asking));
      }
      this.mark();
      if (before) {
        this.move(before);
      }
    }

    fill(list, entries, none) {
      if (entries.length === 0) {
        list.replaceChildren(make('li', { class: 'kp-none' }, none));
      } else {
        list.replaceChildren(...entries.map(([task, note]) => this.chip(task, note)));
      }
    }

    /** A task with a note, or either. */
    chip(task, note) {
      const { tasks, colours } = this.data;
      if (task === null) {
        return make('li', { class: 'kp-chip' }, note);
      }
      const chip = make('li', { class: `kp-chip colour${task % colours}` }, make('b', {}, tasks[task]));
      chip.dataset.task = task;
      if (note !== '') {
        chip.append(' ', note);
      }
      return chip;
    }

    showQuestion() {
      const question = this.asking ? this.next : null;
      this.question.hidden = !question;
      if (question) {
        const choices = question.choices.map((choice, place) => {
          const button = make('button', { type: 'button', class: 'kp-choice' }, make('kbd', {}, String(place + 1)), ` ${choice}`);
          button.addEventListener('click', () => {
            this.pause();
            this.answer(place);
          });
          return button;
        });
        this.question.replaceChildren(...choices);
        this.text.textContent = `Before the next step: ${question.text}`;
      }
      if (this.score) {
        const right = [...this.answered.values()].filter(Boolean).length;
        this.score.textContent = this.answered.size === 0 ? '' : `(${right} of ${this.answered.size} right)`;
      }
    }

    /** The current step on the strip, within sight. */
    mark() {
      const { start, column } = this.data.strip;
      const x = start + this.place * column;
      this.now.setAttribute('x', x);
      const { scrollLeft, clientWidth } = this.strip;
      if (x < scrollLeft + start || x + 2 * column > scrollLeft + clientWidth) {
        this.strip.scrollLeft = x - clientWidth / 2;
      }
    }

    // Motion: what has moved glides from its old place.

    chips() {
      return this.stage.querySelectorAll('.kp-region:not(.kp-says) .kp-chip');
    }

    positions() {
      const positions = new Map();
      for (const chip of this.chips()) {
        if (!positions.has(chip.dataset.task)) {
          positions.set(chip.dataset.task, chip.getBoundingClientRect());
        }
      }
      return positions;
    }

    move(before) {
      const moved = new Set();
      for (const chip of this.chips()) {
        const { task } = chip.dataset;
        const old = before.get(task);
        if (!old || moved.has(task)) {
          continue;
        }
        moved.add(task);
        const now = chip.getBoundingClientRect();
        const [x, y] = [old.left - now.left, old.top - now.top];
        if (x !== 0 || y !== 0) {
          chip.animate([{ transform: `translate(${x}px, ${y}px)` }, { transform: 'none' }], { duration: 250, easing: 'ease-out' });
        }
      }
    }
  }

  customElements.define('kernel-player', KernelPlayer);
})();
