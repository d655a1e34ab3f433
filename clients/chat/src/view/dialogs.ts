/** The dialogs: a new chat, a new group, the members of a group, and questions. */

import type { Id } from "@wsmsg/client";
import type { GroupState } from "@wsmsg/client/requests";

import { byId, h } from "./dom.js";

const SHOWN = 200;

/** Returns the users in a text, or throws an error that says what is wrong. */
export type Finder = (text: string) => Promise<Id[]>;

/** Opens a dialog whose form calls a function, and shows why that failed. */
const ask = (dialog: HTMLDialogElement, onSubmit: () => Promise<string> | string): void => {
  const form = dialog.querySelector("form");
  const problem = dialog.querySelector<HTMLElement>(".problem");
  if (!form || !problem) throw new Error("the dialog has no form");
  problem.textContent = "";
  form.onsubmit = (event) => {
    event.preventDefault();
    void (async () => {
      form.setAttribute("aria-busy", "true");
      const wrong = await Promise.resolve().then(onSubmit).catch(reasonOf);
      form.removeAttribute("aria-busy");
      problem.textContent = wrong;
      if (!wrong) dialog.close();
    })();
  };
  for (const close of dialog.querySelectorAll<HTMLElement>("[data-close]")) {
    close.onclick = () => dialog.close();
  }
  dialog.showModal();
};

const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** Asks whom to write to. */
export const askChat = (find: Finder, onUser: (user: Id) => void): void => {
  const field = byId<HTMLInputElement>("chat-user");
  field.value = "";
  ask(byId("new-chat"), async () => {
    const [user, another] = await find(field.value);
    if (!user || another) return "Enter one user";
    onUser(user);
    return "";
  });
};

/** Asks for the name and the members of a group. */
export const askGroup = (
  find: Finder, create: (name: string, users: Id[], history: boolean) => Promise<void>,
): void => {
  const name = byId<HTMLInputElement>("group-name");
  const members = byId<HTMLTextAreaElement>("group-members");
  const history = byId<HTMLInputElement>("group-history");
  name.value = members.value = "";
  history.checked = true;
  ask(byId("new-group"), async () => {
    if (!name.value.trim()) return "Enter a name";
    await create(name.value.trim(), await find(members.value), history.checked);
    return "";
  });
};

/** What can be done in the dialog with the members of a group. */
export interface MembersActions {
  readonly user: Id;
  readonly nameOf: (user: Id) => string;
  readonly find: Finder;
  readonly add: (users: Id[]) => Promise<void>;
  readonly remove: (user: Id) => Promise<void>;
  readonly leave: () => Promise<void>;
}

/**
 * Shows the members of a group, which its owner can change.
 *
 * @returns a function that shows the group as it is then, while the dialog is open.
 */
export const showMembers = (
  title: string, group: GroupState, actions: MembersActions,
): ((group: GroupState) => void) => {
  const dialog = byId<HTMLDialogElement>("members");
  const list = byId("member-list");
  const field = byId<HTMLInputElement>("member-add");
  const leave = byId<HTMLButtonElement>("member-leave");
  const problem = dialog.querySelector<HTMLElement>(".problem");
  const isOwner = group.owner === actions.user;
  byId("members-title").textContent = title;
  byId("member-adding").hidden = !isOwner;
  field.value = "";
  const run = (what: () => Promise<void>) => {
    what().catch((error: unknown) => {
      if (problem) problem.textContent = reasonOf(error);
    });
  };
  const show = ({ members, count, owner }: GroupState) => {
    const lines = members.slice(0, SHOWN).map(({ user }) => {
      const role = user === owner ? "owner" : user === actions.user ? "you" : "";
      const line = h("li", {}, h("bdi", { lang: "" }, actions.nameOf(user)), h("span", { class: "role" }, role));
      if (isOwner && user !== actions.user) {
        const remove = h("button", { type: "button", class: "link-button" }, "Remove");
        remove.setAttribute("aria-label", `Remove ${actions.nameOf(user)}`);
        remove.onclick = () => run(() => actions.remove(user));
        line.append(remove);
      }
      return line;
    });
    if (count > lines.length) lines.push(h("li", {}, `and ${count - lines.length} more`));
    list.replaceChildren(...lines);
    byId("members-count").textContent = `${count} member${count === 1 ? "" : "s"}`;
  };
  show(group);
  leave.onclick = () => run(async () => {
    await actions.leave();
    dialog.close();
  });
  ask(dialog, async () => {
    if (!field.value.trim()) return "";
    await actions.add(await actions.find(field.value));
    field.value = "";
    return " "; // The dialog stays.
  });
  return (now) => {
    if (dialog.open && now.group === group.group) show(now);
  };
};

/** Asks a question.  Resolves to whether the person agrees. */
export const confirmed = (text: string, yes: string): Promise<boolean> => {
  const dialog = byId<HTMLDialogElement>("question");
  byId("question-text").textContent = text;
  byId("question-yes").textContent = yes;
  return new Promise((resolve) => {
    let agreed = false;
    dialog.onclose = () => resolve(agreed);
    ask(dialog, () => {
      agreed = true;
      return "";
    });
  });
};
