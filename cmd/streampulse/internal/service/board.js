"use strict";
(() => {
  const byID = (id) => document.getElementById(id);
  const board = byID("board"), live = byID("live"), empty = byID("empty");
  const like = byID("like"), picture = byID("picture");

  const saved = (key, input) => {
    try { input.value ||= localStorage.getItem(key) || ""; } catch { return; }
    input.addEventListener("change", () => localStorage.setItem(key, input.value));
  };
  saved("user", like.elements.user);
  saved("name", picture.elements.name);

  const say = (output, text, bad) => { output.textContent = text; output.classList.toggle("bad", Boolean(bad)); };

  const send = async (method, path, body, type) => {
    const reply = await fetch(path, { method, body, headers: type ? { "Content-Type": type } : {} });
    const answer = await reply.json().catch(() => null);
    if (reply.ok) return answer;
    const wait = reply.headers.get("Retry-After");
    throw new Error((answer?.error?.message || "the service did not answer") + (wait ? ` (in ${wait} s)` : ""));
  };

  const row = (post) => {
    const li = document.createElement("li");
    li.dataset.post = post;
    for (const name of ["rank", "post", "count"]) {
      const span = document.createElement("span");
      span.className = name;
      li.append(span);
    }
    const heart = document.createElement("button");
    heart.type = "button";
    heart.className = "heart";
    heart.textContent = "\u2665";
    heart.setAttribute("aria-label", "Like " + post);
    li.append(heart);
    return li;
  };

  const bars = () => {
    const rows = [...board.children], most = Math.max(1, ...rows.map((li) => Number(li.dataset.likes)));
    for (const li of rows) li.style.setProperty("--part", Number(li.dataset.likes) / most);
  };

  // Rows move to their new places: where each one was is measured before, and it is let go from there.
  const show = (posts) => {
    const known = new Map([...board.children].map((li) => [li.dataset.post, li]));
    const before = new Map([...known].map(([post, li]) => [post, li.getBoundingClientRect().top]));
    const rows = posts.map(({ rank, post, likes }) => {
      const li = known.get(post) || row(post);
      const had = Number(li.dataset.likes || 0);
      li.dataset.likes = likes;
      li.querySelector(".rank").textContent = rank;
      li.querySelector(".post").textContent = post;
      li.querySelector(".count").textContent = likes;
      if (likes > had) {
        li.classList.add("up");
        setTimeout(() => li.classList.remove("up"), 1500);
      }
      return li;
    });
    board.replaceChildren(...rows);
    empty.hidden = rows.length > 0;
    bars();
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    for (const li of rows) {
      const from = before.get(li.dataset.post), to = li.getBoundingClientRect().top;
      if (from !== undefined && from !== to) {
        li.animate([{ transform: `translateY(${from - to}px)` }, { transform: "none" }], { duration: 350, easing: "ease-out" });
      }
    }
  };
  bars();

  const listen = () => {
    const source = new EventSource("/leaderboard");
    source.onopen = () => { live.textContent = "live"; live.classList.add("on"); };
    source.addEventListener("board", (e) => show(JSON.parse(e.data).posts));
    source.onerror = () => {
      live.textContent = "reconnecting";
      live.classList.remove("on");
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, 5000); // an error, such as 429, ends a source
    };
  };
  listen();

  const likeIt = async (post) => {
    const user = like.elements.user.value.trim();
    if (!user) {
      say(byID("liked"), "Say who you are first.", true);
      like.elements.user.focus();
      return;
    }
    try {
      const answer = await send("POST", `/posts/${encodeURIComponent(post)}/like`, JSON.stringify({ user }), "application/json");
      say(byID("liked"), answer.counted ? `${answer.likes} like ${answer.post}` : `You like ${answer.post} already`);
    } catch (e) {
      say(byID("liked"), e.message, true);
    }
  };
  like.addEventListener("submit", (e) => { e.preventDefault(); likeIt(like.elements.post.value.trim()); });
  board.addEventListener("click", (e) => {
    const heart = e.target.closest(".heart");
    if (heart) likeIt(heart.closest("li").dataset.post);
  });

  const follow = (path) => new Promise((resolve, reject) => {
    const source = new EventSource(path);
    source.addEventListener("job", (e) => {
      const job = JSON.parse(e.data);
      say(byID("job"), job.state);
      if (job.state === "done") { source.close(); resolve(job); }
      if (job.state === "failed") { source.close(); reject(new Error(job.error)); }
    });
    source.onerror = () => { if (source.readyState === EventSource.CLOSED) reject(new Error("lost sight of the job")); };
  });

  picture.addEventListener("submit", async (e) => {
    e.preventDefault();
    const user = like.elements.user.value.trim();
    if (!user) { say(byID("job"), "Say who you are first.", true); like.elements.user.focus(); return; }
    const path = `/users/${encodeURIComponent(user)}`;
    try {
      say(byID("job"), "uploading");
      const known = await fetch(path);
      if (!known.ok && known.status !== 404) throw new Error("the service did not answer");
      const bio = known.ok ? (await known.json()).bio : "";
      await send("PUT", path, JSON.stringify({ name: picture.elements.name.value, bio }), "application/json");
      const form = new FormData();
      form.append("user", user);
      form.append("image", picture.elements.image.files[0]);
      const { follow: job } = await send("POST", "/avatar", form);
      const done = await follow(job);
      byID("avatar").src = `${done.avatar}/64?${done.id}`;
      byID("profile").href = path;
      byID("profile").hidden = false;
      say(byID("job"), "done");
    } catch (err) {
      say(byID("job"), err.message, true);
    }
  });
})();
