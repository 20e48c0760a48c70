"use strict";
const form = document.getElementById("passkey");
const fault = document.getElementById("passkey-fault");

async function show() {
  const answer = await fetch("/api/auth/login/passkey/options", { method: "POST" });
  if (!answer.ok) throw new Error("no options");
  const begun = await answer.json();
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(begun.options);
  const credential = await navigator.credentials.get({ publicKey });
  form.elements.ceremony_id.value = begun.ceremony_id;
  form.elements.credential.value = JSON.stringify(credential.toJSON());
  form.submit();
}

if (form && window.PublicKeyCredential && PublicKeyCredential.parseRequestOptionsFromJSON) {
  form.hidden = false;
  document.getElementById("passkey-button").addEventListener("click", () => {
    fault.textContent = "";
    show().catch(() => { fault.textContent = "The passkey was not used. Try again, or sign in another way."; });
  });
}
